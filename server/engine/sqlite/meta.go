package sqlite

// Names of the values in the table meta.
const (
	metaOwner  = "owner"
	metaMerged = "request_id_merged"

	// metaLast is a number that was given to an operation whose row is gone. Without
	// it a restart would give it again, to one that is newer than others with greater
	// numbers.
	metaLast = "last_seq"
)

// readMeta returns a value, 0 for one that was never set.
func (e *Engine) readMeta(name string) (int64, error) {
	return queryInt(e.writer.db, "SELECT value FROM meta WHERE name = '"+name+"'")
}

// setMeta stages a value.
func (b *batch) setMeta(name string, value int64) error {
	err := b.c.execute(`INSERT INTO meta (name, value) VALUES (?1, ?2)
		ON CONFLICT (name) DO UPDATE SET value = ?2`, name, value)
	if err != nil {
		return b.fail(err)
	}
	return nil
}
