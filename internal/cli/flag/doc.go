// Package flag has what the flags and arguments of all verbs have in common.
package flag
