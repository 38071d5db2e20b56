// Package migrate is "lro migrate": the schema of operations in a PostgreSQL
// database.
package migrate
