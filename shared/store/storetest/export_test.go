package storetest

// Tamper changes a stored object behind the port's back.
func (o *Objects) Tamper(key string, f func(body []byte)) { f(o.stored[key][0].body) }

// Lose removes a stored object and its versions behind the port's back.
func (o *Objects) Lose(key string) { delete(o.stored, key) }
