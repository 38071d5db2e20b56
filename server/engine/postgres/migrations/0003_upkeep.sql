-- Schema 3: autovacuum comes to table op sooner, and pages of the operations of a
-- kind, or under a parent, that failed or were cancelled read no others. "lro
-- migrate" and postgres.Migrate run this file. By hand:
--
--   psql -v ON_ERROR_STOP=1 -v schema=lro --single-transaction -f 0003_upkeep.sql
--
-- It keeps changes waiting while it makes an index, about a second for a million
-- operations. Programs that know schema 1 or 2 alone may run beside it.

-- Each end leaves one dead row. At PostgreSQL's default of one row in five, those
-- that a long transaction has kept from being removed would stay for hours in a
-- table of millions. Where few pages have dead rows, a vacuum does not read
-- the indexes.
ALTER TABLE :"schema".op SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

DROP INDEX :"schema".op_unsuccessful;
CREATE INDEX op_unsuccessful ON :"schema".op (state, seq, kind, parent) WHERE state > 3;

UPDATE :"schema".version SET version = 3;
