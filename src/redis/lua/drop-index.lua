-- Deletes some buckets of an index that is no longer read; with the last of them, it is done with.
--   KEYS[1]  lease
--   KEYS[2]  segments hash {base: ids of its indexes}
--   KEYS[3]  set of indexes to be deleted
--   KEYS[4…] buckets
--   ARGV[1]  token of the lease
--   ARGV[2]  base of the segment
--   ARGV[3]  id of the index
--   ARGV[4]  1 when no buckets are left behind these
--   returns  1 deleted, 0 the segment has the index after all: nothing is deleted then
--   errors   LEASE: the lease is lost

local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('LEASE lost') end
local base, index = ARGV[2], ARGV[3]
local member = base .. ':' .. index
for id in string.gmatch(call('HGET', KEYS[2], base) or '', '%S+') do
  if id == index then
    call('SREM', KEYS[3], member)
    return 0
  end
end
for i = 4, #KEYS do call('UNLINK', KEYS[i]) end
if ARGV[4] == '1' then call('SREM', KEYS[3], member) end
return 1
