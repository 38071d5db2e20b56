// Package render shows operations: to people as text that fits their terminal,
// to programs as the JSON of docs/cli_json.md. [Of] reads what all operations
// have, and what most say in their metadata under the field names that most
// services use (create_time, status_message, progress_percent and the like).
package render
