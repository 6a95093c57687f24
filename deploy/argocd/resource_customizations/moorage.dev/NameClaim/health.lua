-- It has no status: it is a fact, and whole once it stands.
if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "" }
end
return { status = "Healthy", message = "" }
