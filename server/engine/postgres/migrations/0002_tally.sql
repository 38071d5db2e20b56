-- Schema 2: operations that are done are counted as they change, so that counts
-- do not read all of them. "lro migrate" and postgres.Migrate run this file. By
-- hand:
--
--   psql -v ON_ERROR_STOP=1 -v schema=lro --single-transaction -f 0002_tally.sql
--
-- It keeps ends and deletions waiting while it counts what is there, about a
-- second for each million operations. Programs that know schema 1 alone may run
-- beside it: triggers count what they do.

-- How many operations that are done there are: the sum of n. Rows are only added,
-- so that no two transactions wait for each other, and summed up now and then.
CREATE TABLE :"schema".tally (
	kind  text NOT NULL,
	state smallint NOT NULL,          -- as in op
	n     bigint NOT NULL             -- negative for operations that were removed
);

-- It runs with the rights of the schema's owner: programs that know schema 1
-- alone may lack rights on the table.
CREATE FUNCTION :"schema".tally_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = :"schema", pg_temp AS $$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		INSERT INTO tally (kind, state, n)
		SELECT kind, state, sum(n) FROM (
			SELECT kind, state, 1 AS n FROM after WHERE state IS NOT NULL
			UNION ALL SELECT kind, state, -1 FROM before WHERE state IS NOT NULL) c
		GROUP BY kind, state HAVING sum(n) <> 0;
	ELSE
		INSERT INTO tally (kind, state, n) SELECT kind, state, -count(*) FROM before WHERE state IS NOT NULL GROUP BY kind, state;
	END IF;
	RETURN NULL;
END $$;

-- No program inserts operations that are done. The triggers lock the table
-- against changes until the migration ends, so nothing is missed.
CREATE TRIGGER tally_update AFTER UPDATE ON :"schema".op REFERENCING OLD TABLE AS before NEW TABLE AS after
	FOR EACH STATEMENT EXECUTE FUNCTION :"schema".tally_changes();
CREATE TRIGGER tally_delete AFTER DELETE ON :"schema".op REFERENCING OLD TABLE AS before
	FOR EACH STATEMENT EXECUTE FUNCTION :"schema".tally_changes();

INSERT INTO :"schema".tally (kind, state, n) SELECT kind, state, count(*) FROM :"schema".op WHERE state IS NOT NULL GROUP BY kind, state;

-- Roles have the rights that they have on op.
CREATE FUNCTION :"schema".tally_rights() RETURNS void LANGUAGE plpgsql SET search_path = :"schema", pg_temp AS $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT a.grantee, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.oid = 'op'::regclass AND a.grantee <> c.relowner AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
	LOOP
		EXECUTE format('GRANT %s ON tally TO %s', r.privilege_type, CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END);
	END LOOP;
END $$;
SELECT :"schema".tally_rights();
DROP FUNCTION :"schema".tally_rights();

UPDATE :"schema".version SET version = 2;
