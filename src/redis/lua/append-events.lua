-- Appends a chunk of events to a project's stream, each id once, a token of every rate limit for each event added.
--   KEYS[1]  stream of events
--   KEYS[2]  meta hash {epoch, generation, began_ms, window_ms, id_border, id_count, older, indexes, segment,
--            segment_count, segments_version}: the generation that ids are added to, when it began, the window that it
--            began with, its border and ids, and those before it that are still looked at: 'number:until_ms:border …';
--            the index plan; the base and the events of the segment that is added to, no base when another is to begin; a
--            number that changes with the segments
--   KEYS[3]  prefix of the buckets of ids (id-buckets.lua), all in the same slot
--   KEYS[4]  quotas hash {clock_us, ahead_us, and for each rate limit, under its period in µs, when its bucket is full}
--   KEYS[5]  the last reply to this sender in this of its slots: {number of the call, reply}
--   KEYS[6]  segments hash {base: ids of the indexes that hold all of its events}; what it is about is in keys.ts
--   KEYS[7]  prefix of the buckets of the indexes, all in the same slot
--   ARGV[1]  number of this call; a slot's calls are numbered upwards, and a call sent again keeps its number
--   ARGV[2]  1 when the call is sent again
--   ARGV[3]  1 to add all or nothing; no id may then be given twice
--   ARGV[4]  dedupe window in ms
--   ARGV[5]  how many events the project may hold; 0: any number
--   ARGV[6]  rate limits: 'tokens:period in µs …'
--   ARGV[7]  epoch to give the data set if it has none
--   ARGV[8]  how many events there are
--   ARGV[9]  index plan that the next arguments were made by
--   ARGV[10] ids of its indexes, in order: 'n i …'
--   ARGV[11] how many events a segment has; the last chunk may exceed it
--   ARGV[12] the terms of the events by bucket; for each bucket: ordinal of its index (1), name of its bucket (2), how many
--            terms follow (2), and of each of these: ordinal of the event (2), fingerprint (3)
--   ARGV[13] the events; for each: '1' if its id is new for certain (1), the first 6 hex digits of the next, hash of its id (12),
--            hash of its payload (8), what the server adds, behind its length (1), its bytes, behind their length (4)
--   returns  {epoch, stream id of the first event added or '', outcomes, positions, refills}
--            outcomes: one character for each event: a added, its seq one above that of the one added before;
--            d known with this payload; c known with another payload; t no token left; f no room in the project;
--            w could have been added, if not for another. positions: for each d and c, in order, 12 bytes: ms (6),
--            seq (6), big-endian. refills: for each rate limit, how many µs its missing tokens take to come back.
--   errors   STALE: the slot has had a later call, so the sender of this one has long given it up
--            INDEXES and the plan that holds, when it is not the one given: nothing is done then
--
-- XADD comes first among the writes: Redis checks for room, and whether it may write at all, only before a script's first
-- write, and a script that fails is not rolled back, so nothing may claim an event that is not there. Behind that write
-- nothing can refuse an event of a later one: it goes to the same stream, where its id is the next.

local call, sub, format, pack_bytes, unpack_bytes = redis.call, string.sub, string.format, struct.pack, struct.unpack
local events, meta, ids, quotas, slot, segments, index = unpack(KEYS)
local number, is_again, is_atomic = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3] == '1'
local window_ms, events_max, count = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[8])
local plan, index_ids, segment_max, terms = ARGV[9], ARGV[10], tonumber(ARGV[11]), ARGV[12]
local given, given_format = ARGV[13], '>c1c6c12c8Bc0I4c0'

-- A call may come twice: sent again because its reply was lost, and late, out of some buffer on the way.
local told = call('GET', slot)
if told then
  local told_number, told_reply = cmsgpack.unpack(told)
  if told_number == number then return told_reply end
  if told_number > number then return redis.error_reply('STALE a later call was answered') end
end

local time = call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = math.floor(now_us / 1000)

-- Generations of ids. An id is known for one window at least: it is looked for until two windows after its generation
-- began, and none is added once one window has passed, the one that the generation began with. A longer window begins a
-- generation, as the hashes of this one expire too early for it; a shorter one waits for the next. So servers that differ
-- about the window begin two generations in the longer one, and not one in each call.
local known = call('HMGET', meta, 'epoch', 'generation', 'began_ms', 'window_ms', 'older',
  'indexes', 'segment', 'segment_count', 'id_border', 'id_count')
if count > 0 and known[6] and known[6] ~= plan then return redis.error_reply('INDEXES ' .. known[6]) end
local generation, began_ms = tonumber(known[2]) or 0, tonumber(known[3]) or now_ms
local generation_ms, older = tonumber(known[4]) or window_ms, known[5] or ''
local border, id_count = known[9], tonumber(known[10]) or 0
local is_begun = known[3]
if is_begun and (now_ms - began_ms >= generation_ms or window_ms > generation_ms or not border) then
  older = older .. format(' %.0f:%.0f', generation, began_ms + 2 * generation_ms) .. (border and ':' .. border or '')
  generation, began_ms, generation_ms = generation + 1, now_ms, window_ms
  border, id_count, is_begun = '', 0, false
end
local is_meta_changed = not is_begun
if now_ms < began_ms then
  -- The clock was set back: the generation goes on, and gets no longer than a window from now.
  began_ms, is_meta_changed = now_ms, true
end
local current = open_generation(ids, generation, border or '')
local before, still = {}, {}
for one, until_ms, colon, its_border in string.gmatch(older, '(%d+):(%d+)(:?)(%x*)') do
  if tonumber(until_ms) > now_ms then
    before[#before + 1] = open_generation(ids, one, colon == ':' and its_border or nil)
    still[#still + 1] = one .. ':' .. until_ms .. colon .. its_border
  end
end
local ttl_ms = 2 * generation_ms + 60000

-- Rate limits. `clock_us` + `ahead_us` never goes back: a clock that is set back stands still here. When it is set forward
-- again, which one step as large as `ahead_us` is taken for, that does not fill the buckets once more. Smaller steps are
-- time that passes; so a clock that stays behind, however far, costs its buckets `ahead_us` of refill once, and no more.
local limits, states, ahead_us, virtual_us = {}, nil, 0, 0
local is_clock_off = false
for tokens, period in string.gmatch(ARGV[6], '(%d+):(%d+)') do
  limits[#limits + 1] = { tokens = tonumber(tokens), period_us = tonumber(period), field = period }
end
if #limits > 0 then
  local fields = { 'clock_us', 'ahead_us' }
  for i = 1, #limits do fields[i + 2] = limits[i].field end
  states = call('HMGET', quotas, unpack(fields))
  ahead_us = tonumber(states[2]) or 0
  local step_us = now_us - (tonumber(states[1]) or now_us)
  is_clock_off = step_us < 0 or ahead_us > 0
  if step_us < 0 then ahead_us = ahead_us - step_us
  elseif step_us >= ahead_us then ahead_us = 0 end
  virtual_us = now_us + ahead_us
end

-- What so many tokens cost, in µs of refill: rounded up, so that rounding never lets one more through.
local function cost_us(limit, tokens)
  local product = tokens * limit.period_us
  local rest = math.fmod(product, limit.tokens)
  return (product - rest) / limit.tokens + (rest > 0 and 1 or 0)
end

local tokens_left = count
for i = 1, #limits do
  local limit = limits[i]
  limit.refill_us = math.max(0, (tonumber(states[i + 2]) or 0) - virtual_us)
  local room_us = limit.period_us - limit.refill_us
  local tokens = math.max(0, math.min(count, math.ceil(room_us / limit.period_us * limit.tokens) + 1))
  while tokens > 0 and cost_us(limit, tokens) > room_us do tokens = tokens - 1 end
  tokens_left = math.min(tokens_left, tokens)
end
local addable, refusal = tokens_left, 't'
if events_max > 0 then
  local room = math.max(0, events_max - call('XLEN', events))
  if room < addable then addable, refusal = room, 'f' end
end

local function find_before(digits, id_hash)
  for i = #before, 1, -1 do
    local record = find_id(before[i], digits, id_hash)
    if record then return record end
  end
end

local outcomes, positions = {}, {}
local first, ms_text, next_id, ms_packed, seq = '', nil, nil, nil, nil
local seqs = {}
local added = 0

-- What is remembered of an id: hash of its payload (8), ms (6), seq (2, or 6 for one from 65,536 on).
local function to_record(payload, one_seq)
  return payload .. ms_packed .. pack_bytes(one_seq < 65536 and '>I2' or '>I6', one_seq)
end

local function tell_known(i, record, payload)
  outcomes[i] = sub(record, 1, 8) == payload and 'd' or 'c'
  positions[#positions + 1] = #record == 16 and sub(record, 9, 14) .. '\0\0\0\0' .. sub(record, 15) or sub(record, 9)
end

if is_atomic then
  local at, new, is_stopped = 1, 0, false
  for i = 1, count do
    local is_new, digits, id_hash, payload, _, _, behind = unpack_bytes(given_format, given, at)
    at = behind
    local record = is_new ~= '1' and (find_id(current, digits, id_hash) or find_before(digits, id_hash))
    if not record then
      new = new + 1
      outcomes[i] = new > addable and refusal or 'w'
      is_stopped = is_stopped or new > addable
    else
      tell_known(i, record, payload)
      is_stopped = is_stopped or outcomes[i] == 'c'
    end
  end
  if is_stopped then count = 0 else outcomes, positions = {}, {} end
end

local at = 1
for i = 1, count do
  local is_new, digits, id_hash, payload, extra, bytes, behind = unpack_bytes(given_format, given, at)
  at = behind
  local key = bucket_of(current, digits)
  local record, is_remembered
  if is_new ~= '1' then
    record = find_before(digits, id_hash)
    if not record and seq and added < addable then
      -- One command that looks for it and remembers it. Its event is sure to follow: this script has written before.
      is_remembered = call('HSETNX', key, id_hash, to_record(payload, seq + 1)) == 1
    end
    if not record and not is_remembered then record = call('HGET', key, id_hash) end
  end
  if record then
    tell_known(i, record, payload)
  elseif added == addable then
    outcomes[i] = refusal
  else
    if seq then
      call('XADD', events, next_id, extra, bytes)
      seq = seq + 1
    else
      first = call('XADD', events, '*', extra, bytes)
      local seq_text
      ms_text, seq_text = string.match(first, '^(%d+)-(%d+)$')
      next_id, ms_packed, seq = ms_text .. '-*', pack_bytes('>I6', tonumber(ms_text)), tonumber(seq_text)
    end
    if not is_remembered then call('HSET', key, id_hash, to_record(payload, seq)) end
    outcomes[i] = 'a'
    seqs[i] = seq
    added = added + 1
  end
end

local epoch = known[1] or ARGV[7]
if not known[1] and (added > 0 or #positions > 0) then call('HSET', meta, 'epoch', epoch) end
if added > 0 then
  id_count = id_count + added
  if is_meta_changed then
    call('HSET', meta, 'generation', generation, 'began_ms', format('%.0f', began_ms),
      'window_ms', format('%.0f', generation_ms), 'older', table.concat(still, ' '),
      'id_border', current.border, 'id_count', id_count)
  else
    call('HSET', meta, 'id_count', id_count)
  end
  -- Every time, for the first bucket has none yet when the call that made it was stopped half-way.
  if current.border == '' then call('PEXPIRE', current.prefix, ttl_ms, 'NX') end
  add_buckets(current, id_count, ttl_ms, meta)
end

-- Indexes. The events of a call have one ms, and are in one segment. The records of a bucket are in the order of the events.
if added > 0 then
  local ms = tonumber(ms_text)
  local segment = known[7] or ''
  local base_ms, base_seq = string.match(segment, '^(%d+)-(%d+)$')
  local ms_offset = base_ms and ms - tonumber(base_ms)
  local is_full = not base_ms or tonumber(known[8]) >= segment_max
  if is_full or ms_offset > 4294967295 or seq - (ms_offset == 0 and tonumber(base_seq) or 0) > 16777215 then
    segment, ms_offset, base_seq = first, 0, string.match(first, '%d+$')
    call('HSET', segments, segment, index_ids)
    call('HSET', meta, 'indexes', plan, 'segment', segment, 'segment_count', added)
    call('HINCRBY', meta, 'segments_version', 1)
  else
    call('HINCRBY', meta, 'segment_count', added)
  end
  local seq_start = ms_offset == 0 and tonumber(base_seq) or 0
  local places, ms_record = {}, struct.pack('>I4', ms_offset)
  for i, one in pairs(seqs) do places[i] = ms_record .. struct.pack('>I3', one - seq_start) end
  local prefixes = {}
  for id in string.gmatch(index_ids, '%S+') do prefixes[#prefixes + 1] = index .. ':' .. segment .. ':' .. id .. ':' end
  local at, last = 1, #terms
  while at <= last do
    local ordinal, bucket, term_count, behind = unpack_bytes('>Bc2I2', terms, at)
    local records, size = {}, 0
    at = behind
    for _ = 1, term_count do
      local event, fingerprint
      event, fingerprint, at = unpack_bytes('>I2c3', terms, at)
      local place = places[event + 1]
      if place then
        records[size + 1], records[size + 2] = place, fingerprint
        size = size + 2
      end
    end
    if size > 0 then call('APPEND', prefixes[ordinal + 1] .. bucket, table.concat(records)) end
  end
end

local refills = {}
if #limits > 0 then
  local state = { 'clock_us', format('%.0f', now_us), 'ahead_us', format('%.0f', ahead_us) }
  for i = 1, #limits do
    local limit = limits[i]
    local refill_us = limit.refill_us + cost_us(limit, added)
    refills[i] = format('%.0f', refill_us)
    if added > 0 then
      state[#state + 1] = limit.field
      state[#state + 1] = format('%.0f', virtual_us + refill_us)
    end
  end
  -- While the clock is behind, refused calls tell that time passes: as one step it could look like the clock's return.
  if added > 0 or is_clock_off then redis.pcall('HSET', quotas, unpack(state)) end
end

local reply = { epoch, first, table.concat(outcomes), table.concat(positions), table.concat(refills, ' ') }
-- The reply to a call sent again has to be kept even when nothing was added, or the first attempt, should it still come,
-- could do otherwise: an error when it is not, and the sender goes on trying.
if added > 0 or is_again then call('SET', slot, cmsgpack.pack(number, reply), 'PX', 60000) end
return reply
