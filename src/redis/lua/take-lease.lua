#!lua flags=allow-oom
-- Takes a lease that nobody has. Also when Redis is full: the work that it allows is how room comes back.
--   KEYS[1]  lease
--   ARGV[1]  token of who takes it, another one each time
--   ARGV[2]  for how long, in ms
--   returns  1 taken, 0 somebody has it

return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
