//go:build tools

// Package tools pins the version of the Helm command that this module builds.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
