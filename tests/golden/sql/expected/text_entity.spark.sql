SELECT
  CAST(`language` AS STRING) AS `__entity`,
  `__ts` - MOD(`__ts`, 3600000) AS `__tile`,
  COUNT(*) AS `_events`,
  COUNT(*) AS `posts`
FROM `post_events`
WHERE `language` IS NOT NULL
GROUP BY `language`, `__ts` - MOD(`__ts`, 3600000)
