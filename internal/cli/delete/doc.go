// Package delete is "lro delete": it tells a service that operations are no
// longer of interest.
package delete
