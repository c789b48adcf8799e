package wecomtest

// People talk in sessions: for a stretch of the stream (a window of indexes) a
// few conversations go on side by side, each in its lane, and each message is
// the next step of its lane's conversation. Everything follows from the seed and
// the index.
const (
	windowLen = 64
	lanes     = 4
)

var laneShare = [lanes]int{45, 75, 92, 100} // cumulated, in percent

// place is a position in a session.
type place struct {
	window, lane int
	step         int // messages of this lane before this one in the window
}

func laneOf(seed uint64, index int) int {
	r := stream(seed, forLane, uint64(index))
	n := r.n(100)
	lane := 0
	for n >= laneShare[lane] {
		lane++
	}
	return lane
}

func placeOf(seed uint64, index int) place {
	p := place{window: index / windowLen, lane: laneOf(seed, index)}
	for j := p.window * windowLen; j < index; j++ {
		if laneOf(seed, j) == p.lane {
			p.step++
		}
	}
	return p
}

// session identifies the random choices that all messages of a place share.
func (p place) session() uint64 { return uint64(p.window)*lanes + uint64(p.lane) }

// talk is a conversation: a room, or two people, or one who writes to several.
type talk struct {
	room   *room
	people []*person // without room: who talks; the first one asked first
}

func (t talk) members() []*person {
	if t.room != nil {
		return t.room.members
	}
	return t.people
}

// outside says that somebody outside the corp takes part.
func (t talk) outside() bool {
	if t.room != nil {
		return t.room.outside
	}
	for _, p := range t.people {
		if p.role == customer {
			return true
		}
	}
	return false
}

func (t talk) language() language {
	if t.room != nil {
		return t.room.language
	}
	for _, p := range t.people {
		if p.role == customer {
			return p.language
		}
	}
	return chinese
}

// setting is where a kind of message occurs.
type setting uint8

const (
	anywhere setting = iota
	withCustomer
	inRoom
	inCustomerRoom
	fromRobot
)

func (t talk) suits(s setting) bool {
	switch s {
	case withCustomer:
		return t.room == nil && len(t.people) == 2 && t.outside()
	case inRoom:
		return t.room != nil
	case inCustomerRoom:
		return t.room != nil && t.room.outside
	case fromRobot:
		return t.room != nil && t.room.robot != nil
	}
	return true
}

// talkIn chooses a conversation that suits s.
func (c *crowd) talkIn(s setting, r *rng) talk {
	switch s {
	case withCustomer:
		return c.customerPair(r)
	case inRoom:
		if r.oneIn(2) {
			return talk{room: c.inside[r.few(len(c.inside))]}
		}
		return talk{room: c.outside[r.few(len(c.outside))]}
	case inCustomerRoom:
		return talk{room: c.outside[r.few(len(c.outside))]}
	case fromRobot:
		return talk{room: pick(r, c.staffed)}
	}
	switch n := r.n(1000); {
	case n < 460:
		return c.customerPair(r)
	case n < 670:
		return c.colleagues(r)
	case n < 820:
		return talk{room: c.inside[r.few(len(c.inside))]}
	case n < 980:
		return talk{room: c.outside[r.few(len(c.outside))]}
	case n < 990:
		return talk{room: c.rooms[len(c.rooms)-1]}
	}
	return talk{people: someOf(r, c.employees, r.between(3, 6))}
}

// customerPair is a customer and the employee who looks after them. The first of
// the two opens the talk.
func (c *crowd) customerPair(r *rng) talk {
	owner := r.few(len(c.employees))
	client := c.customers[(owner*customersPerHead+r.few(customersPerHead))%len(c.customers)]
	if r.oneIn(3) {
		return talk{people: []*person{c.employees[owner], client}}
	}
	return talk{people: []*person{client, c.employees[owner]}}
}

func (c *crowd) colleagues(r *rng) talk {
	one := r.few(len(c.employees))
	other := (one + 1 + r.few(min(8, len(c.employees)-1))) % len(c.employees)
	return talk{people: []*person{c.employees[one], c.employees[other]}}
}

// speaker chooses who says the given step of a session. Of two people the first
// asks and the second answers; in a room one member asks and a few others
// answer; of several without a room only the first one writes.
func (t talk) speaker(seed uint64, session uint64, step, side int) *person {
	if t.room == nil {
		if len(t.people) > 2 {
			return t.people[0]
		}
		return t.people[side%len(t.people)]
	}
	people := t.room.members
	if t.room.robot != nil {
		people = people[:len(people)-1]
	}
	r := stream(seed, forSpeaker, session)
	asks := r.n(len(people))
	if side == 0 {
		return people[asks]
	}
	// Four of the room take part.
	at := stream(seed, forSpeaker, session<<8+uint64(step)+1)
	return people[(asks+1+at.n(min(4, len(people)-1)))%len(people)]
}
