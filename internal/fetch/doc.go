// Package fetch gets what an operation made, from replicas that may lag.
package fetch
