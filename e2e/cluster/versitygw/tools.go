//go:build tools

// Package tools keeps the S3 server of the end-to-end tests among this module's requirements.
package tools

import _ "github.com/versity/versitygw/cmd/versitygw"
