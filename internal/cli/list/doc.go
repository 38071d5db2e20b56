// Package list is "lro list": the operations that a service knows, as rows that
// appear page by page.
package list
