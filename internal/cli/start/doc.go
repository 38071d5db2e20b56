// Package start is "lro start": it starts an operation of a kind that a server
// of lro.v1.Starter has registered, such as "lro serve".
package start
