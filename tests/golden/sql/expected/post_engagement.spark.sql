SELECT
  CAST(`post_id` AS STRING) AS `__entity`,
  `__ts` - MOD(`__ts`, 60000) AS `__tile`,
  COUNT(*) AS `_events`,
  COUNT(*) FILTER (WHERE `action` = 'view') AS `views`,
  COUNT(*) FILTER (WHERE `action` = 'like') AS `likes`,
  SUM(CAST(`watch_ms` AS BIGINT)) AS `watch_ms`,
  MAX(CAST(`watch_ms` AS BIGINT)) AS `longest_watch_ms`,
  FP_LAST_TEXT(`language`, `__ts`, `__partition`, `__offset`) AS `language`,
  FP_LAST_N_INT(`user_id`, 100, `__ts`, `__partition`, `__offset`) AS `recent_users`
FROM `post_events`
WHERE `post_id` IS NOT NULL
GROUP BY `post_id`, `__ts` - MOD(`__ts`, 60000)
