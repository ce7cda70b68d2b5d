SELECT
  CAST(`user_id` AS STRING) AS `__entity`,
  `__ts` - MOD(`__ts`, 60000) AS `__tile`,
  COUNT(*) AS `_events`,
  COUNT(*) FILTER (WHERE `is_long`) AS `long_views`,
  FP_LAST_TEXT(`verb`, `__ts`, `__partition`, `__offset`) AS `verb`
FROM (
  SELECT
    `user_id`,
    `is_long`,
    `verb`,
    `__ts`,
    `__partition`,
    `__offset`
  FROM (
    SELECT
      `user_id`,
      `verb`,
      `ms`,
      `ms` > 10000 AS `is_long`,
      `__ts`,
      `__partition`,
      `__offset`
    FROM (
      SELECT
        `user_id`,
        FP_LOWER(`action`) AS `verb`,
        `watch_ms` AS `ms`,
        `language`,
        `__ts`,
        `__partition`,
        `__offset`
      FROM `post_events`
      WHERE `action` IS NOT NULL
    )
    WHERE `ms` IS NOT NULL
  )
  WHERE `verb` <> 'skip'
)
WHERE `verb` LIKE '%' AND `user_id` IS NOT NULL
GROUP BY `user_id`, `__ts` - MOD(`__ts`, 60000)
