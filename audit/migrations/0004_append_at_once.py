"""On PostgreSQL entries that come together are hashed one after the other, stored by one statement, and their order is looked at once.

What `audit_append` takes is a JSON list of texts: the canonical JSON of each entry up to its place in the chain, as
`audit.chain.unfinished` gives it. Every column is read from it, so what is stored is what was hashed.
"""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("audit.migrations.0003_append").APPEND
APPEND = """
CREATE OR REPLACE FUNCTION audit_append(entries json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    written text[] := ARRAY(SELECT json_array_elements_text(entries));
    last_seq bigint; last_hash text; links text[];
BEGIN
    SELECT seq, hash INTO STRICT last_seq, last_hash FROM audit_head FOR UPDATE;
    links := ARRAY[last_hash];
    FOR place IN 1 .. cardinality(written) LOOP
        last_hash := encode(sha256('\\x00'::bytea || convert_to(
            written[place] || '"previous_hash":"' || last_hash || '","seq":' || last_seq + place || '}', 'UTF8')), 'hex');
        links := links || last_hash;
    END LOOP;
    INSERT INTO audit_entry (seq, at, actor_kind, actor, actor_id, action, about, data, previous_hash, hash)
        SELECT last_seq + place, at, actor_kind, actor, actor_id, action, about, data, links[place], links[place + 1]
        FROM unnest(written) WITH ORDINALITY AS w(entry, place), jsonb_to_record((entry || '"seq":0}')::jsonb)
            AS e(at timestamptz, actor_kind text, actor text, actor_id bigint, action text, about text, data jsonb);
    UPDATE audit_head SET seq = last_seq + cardinality(written), hash = last_hash;
END $$
"""
IN_ORDER = """
CREATE OR REPLACE FUNCTION audit_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE lowest bigint; highest bigint; many bigint;
BEGIN
    SELECT min(seq), max(seq), count(*) INTO lowest, highest, many FROM added;
    IF many > 0 AND (lowest < 1 OR highest - lowest + 1 <> many OR highest <> (SELECT max(seq) FROM audit_entry)
        OR (lowest > 1 AND NOT EXISTS (SELECT FROM audit_entry WHERE seq = lowest - 1)))
    THEN
        RAISE EXCEPTION 'audit entries are appended in order' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$
"""
AT_ONCE = """
CREATE TRIGGER audit_entry_in_order AFTER INSERT ON audit_entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit_in_order()
"""
ONE_BY_ONE = (
    "DROP TRIGGER audit_entry_in_order ON audit_entry",
    "CREATE OR REPLACE FUNCTION audit_in_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " IF NEW.seq IS DISTINCT FROM (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit_entry) THEN"
    " RAISE EXCEPTION 'audit entries are appended in order' USING ERRCODE = 'integrity_constraint_violation'; END IF;"
    " RETURN NEW; END $$",
    "CREATE TRIGGER audit_entry_in_order BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_in_order()",
    "DROP FUNCTION audit_append(json)",
)


def forwards(apps, editor):
    if editor.connection.vendor == "postgresql":
        for statement in ("DROP TRIGGER audit_entry_in_order ON audit_entry", IN_ORDER, AT_ONCE, APPEND):
            editor.execute(statement)


def backwards(apps, editor):
    if editor.connection.vendor == "postgresql":
        for statement in (*ONE_BY_ONE, BEFORE):
            editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_append")]
    operations = [migrations.RunPython(forwards, backwards)]
