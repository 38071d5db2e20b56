// Package kintest has the recipes of docs/kin.md: adapters for services whose
// operations are neither those of google.longrunning nor extended operations,
// tested on the clients that others wrote, against fakes of the services.
//
// It is a module of its own so that no other module depends on these clients.
package kintest
