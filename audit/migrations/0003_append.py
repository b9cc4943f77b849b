"""On PostgreSQL entries are appended by one call, which holds the head no longer than that; two indexes go that no question used."""

from django.db import migrations

# The hash is of a zero byte and the entry's canonical JSON, as `audit.chain.entry_hash` has it; `audit.log.verify` computes it anew.
APPEND = """
CREATE FUNCTION audit_append(entries json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE last_seq bigint; last_hash text; one record;
BEGIN
    SELECT seq, hash INTO STRICT last_seq, last_hash FROM audit_head FOR UPDATE;
    FOR one IN SELECT * FROM json_to_recordset(entries)
        AS e(at timestamptz, actor_kind text, actor text, actor_id bigint, action text, about text, data jsonb, written text)
    LOOP
        INSERT INTO audit_entry (seq, at, actor_kind, actor, actor_id, action, about, data, previous_hash, hash)
        VALUES (last_seq + 1, one.at, one.actor_kind, one.actor, one.actor_id, one.action, one.about, one.data, last_hash, encode(sha256(
            '\\x00'::bytea || convert_to(one.written || '"previous_hash":"' || last_hash || '","seq":' || last_seq + 1 || '}', 'UTF8')), 'hex'))
        RETURNING seq, hash INTO last_seq, last_hash;
    END LOOP;
    UPDATE audit_head SET seq = last_seq, hash = last_hash;
END $$
"""
UNUSED = ("audit_entry_about_5c6a50ac_like", "audit_entry_hash_48be7bd7_like")  # for LIKE


def forwards(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute(APPEND)
        for name in UNUSED:
            editor.execute(f"DROP INDEX IF EXISTS {name}")


def backwards(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP FUNCTION audit_append(json)")


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]
    operations = [migrations.RunPython(forwards, backwards)]
