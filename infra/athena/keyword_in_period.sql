-- Messages whose text has a word, whatever its case and width.
-- Parameters: 1 first day, 2 last day (of China, both included), 3 the word.
WITH asked AS (
  SELECT CAST(? AS date) AS first_day, CAST(? AS date) AS last_day, CAST(? AS varchar) AS word
),
copies AS (
  SELECT m.*, a.word, a.first_day, a.last_day, m."$path" AS object,
    row_number() OVER (
      PARTITION BY regexp_extract(m."$path", '([0-9]{20})', 1), m."position"
      ORDER BY COALESCE(TRY_CAST(regexp_extract(m."$path", '-r([0-9]+)[.]parquet$', 1) AS integer), 0)
    ) AS copy
  FROM messages m CROSS JOIN asked a
  WHERE m.outcome = 'ok'
    AND m.dt >= CAST(CAST(a.first_day - INTERVAL '1' DAY AS date) AS varchar)
    AND m.dt <= CAST(CAST(a.last_day + INTERVAL '31' DAY AS date) AS varchar)
)
SELECT msgtime + INTERVAL '8' HOUR AS time_in_china, conversation, from_id, to_ids, msgtype, text, seq, msgid, object
FROM copies
WHERE copy = 1
  AND msgtime >= CAST(first_day AS timestamp) - INTERVAL '8' HOUR
  AND msgtime < CAST(last_day AS timestamp) + INTERVAL '16' HOUR
  AND strpos(lower(normalize(text, NFKC)), lower(normalize(word, NFKC))) > 0
ORDER BY msgtime, seq, object, "position"
