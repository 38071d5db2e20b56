// Package delete is "lro delete": it tells a service that nobody is interested
// in operations any more.
package delete
