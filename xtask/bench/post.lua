-- POSTs about one kilobyte of JSON.
local entries = {}
for id = 0, 19 do
  entries[#entries + 1] = '{"id":' .. id .. ',"title":"Entry ' .. id .. ' of a list","on":true}'
end
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"list":[' .. table.concat(entries, ",") .. "]}"
