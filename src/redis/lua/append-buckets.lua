-- Appends to buckets of indexes that are being built. Until they are listed, the indexes count as to be deleted: what is
-- left behind half-built then goes by itself.
--   KEYS[1]  lease
--   KEYS[2]  set of indexes to be deleted
--   KEYS[3…] buckets
--   ARGV[1]  token of the lease
--   ARGV[2]  base of the segment
--   ARGV[3]  ids of the indexes, with spaces between
--   ARGV[4…] for each bucket, records
--   returns  1
--   errors   LEASE: the lease is lost; so a copy that comes late does nothing to what another has built

local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('LEASE lost') end
for id in string.gmatch(ARGV[3], '%S+') do call('SADD', KEYS[2], ARGV[2] .. ':' .. id) end
for i = 3, #KEYS do call('APPEND', KEYS[i], ARGV[i + 1]) end
return 1
