-- Files of messages that are not in the archive: lost, failed, or still pending.
-- Parameters: 1 first day, 2 last day (of China, both included) of the message.
WITH asked AS (
  SELECT CAST(? AS date) AS first_day, CAST(? AS date) AS last_day
),
copies AS (
  SELECT m.*, a.first_day, a.last_day, CAST(regexp_extract(m."$path", '([0-9]{20})', 1) AS bigint) AS page,
    row_number() OVER (
      PARTITION BY regexp_extract(m."$path", '([0-9]{20})', 1), m."position"
      ORDER BY COALESCE(TRY_CAST(regexp_extract(m."$path", '-r([0-9]+)[.]parquet$', 1) AS integer), 0)
    ) AS copy
  FROM messages m CROSS JOIN asked a
  WHERE m.outcome = 'ok'
    AND m.dt >= CAST(CAST(a.first_day - INTERVAL '1' DAY AS date) AS varchar)
    AND m.dt <= CAST(CAST(a.last_day + INTERVAL '31' DAY AS date) AS varchar)
),
wanted AS (
  SELECT c.page, c."position", c.msgtime, c.conversation, c.from_id, c.seq, c.msgid,
    c.media[u.n].path AS path, c.media[u.n].kind AS kind, c.media[u.n].name AS name,
    c.media[u.n].size AS size, c.media[u.n].sdkfileid_sha256 AS sdkfileid_sha256
  FROM copies c CROSS JOIN UNNEST(sequence(1, cardinality(c.media))) AS u(n)
  WHERE c.copy = 1 AND cardinality(c.media) > 0
    AND c.msgtime >= CAST(c.first_day AS timestamp) - INTERVAL '8' HOUR
    AND c.msgtime < CAST(c.last_day AS timestamp) + INTERVAL '16' HOUR
),
-- The link with the highest number counts.
told AS (
  SELECT l.seq_asked, l.links[u.n]."position" AS "position", l.links[u.n].path AS path,
    l.links[u.n].sdkfileid_sha256 AS sdkfileid_sha256, l.links[u.n].state AS state,
    l.links[u.n].reason AS reason, l.links[u.n].attempts AS attempts,
    row_number() OVER (
      PARTITION BY l.seq_asked, l.links[u.n]."position", l.links[u.n].path, l.links[u.n].sdkfileid_sha256
      ORDER BY l.number DESC
    ) AS newest
  FROM links l CROSS JOIN asked a CROSS JOIN UNNEST(sequence(1, cardinality(l.links))) AS u(n)
  WHERE cardinality(l.links) > 0
    AND l.dt >= CAST(CAST(a.first_day - INTERVAL '1' DAY AS date) AS varchar)
    AND l.dt <= CAST(CAST(a.last_day + INTERVAL '31' DAY AS date) AS varchar)
)
SELECT w.msgtime + INTERVAL '8' HOUR AS time_in_china, COALESCE(t.state, 'pending') AS state, t.reason, t.attempts,
  w.kind, w.name, w.size, w.conversation, w.from_id, w.seq, w.msgid, w.path
FROM wanted w
LEFT JOIN told t ON t.seq_asked = w.page AND t."position" = w."position" AND t.path = w.path
  AND t.sdkfileid_sha256 = w.sdkfileid_sha256 AND t.newest = 1
WHERE COALESCE(t.state, 'pending') <> 'stored'
ORDER BY w.msgtime, w.seq, w.path
