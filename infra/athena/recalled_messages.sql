-- Recalls, each with the message that was recalled. It stays empty if that one was
-- pulled more than 31 days before the first day.
-- Parameters: 1 first day, 2 last day (of China, both included) of the recall.
WITH asked AS (
  SELECT CAST(? AS date) AS first_day, CAST(? AS date) AS last_day
),
copies AS (
  SELECT m.*, a.first_day, a.last_day, m."$path" AS object,
    row_number() OVER (
      PARTITION BY regexp_extract(m."$path", '([0-9]{20})', 1), m."position"
      ORDER BY COALESCE(TRY_CAST(regexp_extract(m."$path", '-r([0-9]+)[.]parquet$', 1) AS integer), 0)
    ) AS copy
  FROM messages m CROSS JOIN asked a
  WHERE m.outcome = 'ok'
    AND m.dt >= CAST(CAST(a.first_day - INTERVAL '31' DAY AS date) AS varchar)
    AND m.dt <= CAST(CAST(a.last_day + INTERVAL '31' DAY AS date) AS varchar)
)
SELECT r.msgtime + INTERVAL '8' HOUR AS recalled_in_china, r.from_id AS recalled_by, r.conversation,
  o.msgtime + INTERVAL '8' HOUR AS sent_in_china, o.from_id AS sent_by, o.msgtype, o.text,
  r.ref_msgid, r.seq AS recall_seq, o.seq AS sent_seq, r.object AS recall_object, o.object AS sent_object
FROM copies r
LEFT JOIN copies o ON o.msgid = r.ref_msgid AND o.copy = 1 AND o.action <> 'recall'
WHERE r.copy = 1 AND r.action = 'recall'
  AND r.msgtime >= CAST(r.first_day AS timestamp) - INTERVAL '8' HOUR
  AND r.msgtime < CAST(r.last_day AS timestamp) + INTERVAL '16' HOUR
ORDER BY r.msgtime, r.seq, r.object, r."position"
