-- Who is to be forgotten, so that a replay, late feedback or a late vector does not bring a text back.
-- The names themselves may be personal, a mail address for instance, so only digests are kept. The salt is
-- this database's own: without one the digest of a mail address could be looked up in the lists of them that
-- are traded. It lies beside them, because a key that got lost would bring everything back; so who has the
-- database and a guess can test the guess.

CREATE TABLE forgotten_salt (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    salt     text    NOT NULL DEFAULT gen_random_uuid()::text || gen_random_uuid()::text
);
INSERT INTO forgotten_salt DEFAULT VALUES;
COMMENT ON TABLE forgotten_salt IS 'What names are salted with before they are hashed; to lose it is to forget nobody.';

CREATE TABLE forgotten (
    digest       bytea       PRIMARY KEY,
    what         text        NOT NULL CHECK (what IN ('interaction', 'session', 'user')),
    forgotten_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE forgotten IS 'Whose texts and vectors are not stored any more, by forgotten_digest(salt, what, id).';

-- The salt is an argument, so that the planner can put the expression in the place of the call.
CREATE FUNCTION forgotten_digest(salt text, what text, id text) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to(salt || what || ':' || id, 'UTF8'));
