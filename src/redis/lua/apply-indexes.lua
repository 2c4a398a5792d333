#!lua flags=allow-oom
-- Makes an index plan the one that holds. An index that the events being appended do not have yet begins with the next
-- segment; one that the plan does not have is no longer read, and is to be deleted.
--   KEYS[1]  meta hash {epoch, indexes, segment, segments_version, …}
--   KEYS[2]  segments hash {base: ids of its indexes}
--   KEYS[3]  set of indexes to be deleted
--   ARGV[1]  plan
--   ARGV[2]  ids of its indexes, with spaces between
--   returns  the plan that held before, which may be this one; '' when there was none, and nil when there are no events yet:
--            nothing is done then, as the first to append stores its plan

local call = redis.call
local meta, segments, dropped = KEYS[1], KEYS[2], KEYS[3]
local plan, ids = ARGV[1], ARGV[2]

local known = call('HMGET', meta, 'epoch', 'indexes', 'segment')
if not known[1] then return false end
if known[2] == plan then return plan end

local wanted = {}
for id in string.gmatch(ids, '%S+') do wanted[id] = true end
local current = known[3] or ''
local lists = call('HGETALL', segments)
call('HSET', meta, 'indexes', plan)
for i = 1, #lists, 2 do
  local base, kept, have, gone = lists[i], {}, {}, {}
  for id in string.gmatch(lists[i + 1], '%S+') do
    if wanted[id] then kept[#kept + 1], have[id] = id, true else gone[#gone + 1] = base .. ':' .. id end
  end
  if #gone > 0 then
    call('SADD', dropped, unpack(gone))
    call('HSET', segments, base, table.concat(kept, ' '))
  end
  if base == current then
    for id in pairs(wanted) do
      if not have[id] then current = '' end
    end
    if current == '' then call('HSET', meta, 'segment', '') end
  end
end
call('HINCRBY', meta, 'segments_version', 1)
return known[2] or ''
