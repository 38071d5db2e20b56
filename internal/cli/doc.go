// Package cli is the command lro. Each verb is a package of its own below this
// one; [Run] puts them together and turns how one ended into an exit status.
package cli
