"""A version for which a user's own `kserve.Model` answers. Only here is kserve imported, and only if
`--custom` asks for it."""
