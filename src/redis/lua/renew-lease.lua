-- Keeps a lease that is still held.
--   KEYS[1]  lease
--   ARGV[1]  token of who took it
--   ARGV[2]  for how long from now, in ms; 0 gives it back
--   returns  1
--   errors   LEASE: it is lost, and may be somebody else's

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('LEASE lost') end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
