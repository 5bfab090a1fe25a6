//go:build tools

// Package tools keeps the GCS server of the tests among this module's requirements.
package tools

import _ "github.com/fsouza/fake-gcs-server"
