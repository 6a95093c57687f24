// Runs Argo CD's health scripts in tests, on the Lua interpreter and version that Argo CD itself uses.
module moorage.dev/tools/argo-health

go 1.26.0

require github.com/yuin/gopher-lua v1.1.2
