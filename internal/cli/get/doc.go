// Package get is "lro get": what a service knows of operations now.
package get
