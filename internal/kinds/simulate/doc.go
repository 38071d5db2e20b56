// Package simulate has the kind "simulate": an operation that does nothing for
// as long as it is asked to, shows progress in as many steps as it is asked to,
// and ends as it is asked to. It is for people who test clients of
// google.longrunning, in any language.
package simulate
