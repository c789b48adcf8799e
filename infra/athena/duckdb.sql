-- Makes DuckDB take the queries beside this file, over the archive itself. First say
-- where that is, a bucket or the folder that `wecom-archive local` filled:
--
--   SET VARIABLE archive = 's3://my-archive-bucket';
--   SET VARIABLE archive = 'wecom-archive-data/objects';
--
-- Then a query runs with ", NFKC)" replaced by ")". DuckDB has no NFKC: normalize
-- here knows NFC and full-width letters, digits, signs and spaces, and not the rest
-- (half-width kana, ligatures, signs such as a kilogram in one character).
CREATE MACRO normalize(s) AS nfc_normalize(translate(s,
  '！＂＃＄％＆＇（）＊＋，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～　',
  '!"#$%&''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~ '));
CREATE MACRO cardinality(l) AS len(l);
CREATE MACRO sequence(a, b) AS generate_series(a, b);
-- As in Athena, times are UTC without a zone, and "$path" is the object.
CREATE VIEW messages AS
  SELECT * EXCLUDE (filename) REPLACE (msgtime AT TIME ZONE 'UTC' AS msgtime, pulled_at AT TIME ZONE 'UTC' AS pulled_at),
    filename AS "$path", regexp_extract(filename, 'dt=([0-9-]{10})', 1) AS dt
  FROM read_parquet(getvariable('archive') || '/messages/*/*.parquet', filename = true, hive_partitioning = false);
CREATE VIEW links AS
  SELECT * EXCLUDE (filename), regexp_extract(filename, 'dt=([0-9-]{10})', 1) AS dt
  FROM read_json(getvariable('archive') || '/links/*/*.json', filename = true, hive_partitioning = false, columns = {
    seq_asked: 'BIGINT', number: 'INTEGER',
    links: 'STRUCT("position" INTEGER, path VARCHAR, seq BIGINT, msgid VARCHAR, kind VARCHAR, sdkfileid_sha256 VARCHAR, state VARCHAR, "key" VARCHAR, sha256 VARCHAR, md5 VARCHAR, size BIGINT, type VARCHAR, md5_verdict VARCHAR, size_verdict VARCHAR, reason VARCHAR, code INTEGER, attempts INTEGER, "at" VARCHAR)[]'});
