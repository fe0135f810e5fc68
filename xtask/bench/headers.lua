-- Sends eight headers.
for index = 1, 8 do wrk.headers["x-in-" .. index] = "value " .. index end
