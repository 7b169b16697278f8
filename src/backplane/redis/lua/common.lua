-- In front of every script, behind the limits (scripts.ts). A number of any size as text: `tostring` would round it.
local STATE, EPOCHS, MESSAGES, SIGNALS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local KEYTABLE, KEYAGES, WORKERS = KEYS[5], KEYS[6], KEYS[7]
local COMMANDS, FATES, FINISHED, CALL = KEYS[8], KEYS[9], KEYS[10], KEYS[11]

local function text_of(number) return string.format('%.0f', number) end

local clock
local function now_ms()
  if not clock then
    local time = redis.call('TIME')
    clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  end
  return clock
end
