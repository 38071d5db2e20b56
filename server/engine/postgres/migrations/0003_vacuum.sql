-- Schema 3: autovacuum comes to table op sooner. "lro migrate" and
-- postgres.Migrate run this file. By hand:
--
--   psql -v ON_ERROR_STOP=1 -v schema=lro --single-transaction -f 0003_vacuum.sql
--
-- It changes no row and lets all statements pass. Programs that know schema 2
-- alone may run beside it.

-- Each end leaves one dead row. At PostgreSQL's default of one row in five, those
-- that a long transaction has kept from being removed would stay for hours in a
-- table of millions. Where few pages have dead rows, a vacuum does not read
-- the indexes.
ALTER TABLE :"schema".op SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

UPDATE :"schema".version SET version = 3;
