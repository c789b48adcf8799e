package wecomtest

import (
	"strconv"
	"strings"
)

const (
	defaultEmployees = 120
	minEmployees     = 6 // for pairs, rooms and talks to several
	customersPerHead = 6
	largeRoom        = 200 // members of the one large room
	idChars          = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
)

type language uint8

const (
	chinese language = iota
	traditional
	english
	languages
)

type role uint8

const (
	employee role = iota
	customer
	robot
)

// person is somebody who sends and receives. Robots are persons here.
type person struct {
	id       string
	spelling string // how the same userid is written now and then; or empty
	name     string
	role     role
	language language
	edition  int // of an employee's archive licence: 1 office, 2 service, 3 enterprise
}

// room is a group chat.
type room struct {
	id       string
	name     string
	members  []*person // employees first; the robot, if any, last
	outside  bool      // has customers
	robot    *person   // nil: none
	language language
}

// crowd is everybody the corp talks with.
type crowd struct {
	employees []*person
	customers []*person
	robots    []*person
	rooms     []*room // the large one is the last of rooms
	inside    []*room // rooms without customers
	outside   []*room // rooms with customers
	staffed   []*room // rooms with a robot
}

func newCrowd(seed uint64, employees, customers, rooms int) *crowd {
	c := &crowd{}
	r := stream(seed, forPeople, 0)
	for i := range employees {
		c.employees = append(c.employees, newEmployee(&r, i))
	}
	for i := range customers {
		c.customers = append(c.customers, newCustomer(&r, i))
	}
	for i := range max(3, employees/40) {
		c.robots = append(c.robots, &person{
			id:   "wb" + r.name(idChars, 30),
			name: robotNames[i%len(robotNames)],
			role: robot,
		})
	}
	c.makeRooms(seed, rooms)
	return c
}

func newEmployee(r *rng, i int) *person {
	// A surname and a given name for each i, all pairs before any comes again.
	total := len(surnames) * len(givenNames)
	j := (i*389 + 17) % total
	surname, given := surnames[j%len(surnames)], givenNames[j/len(surnames)]
	p := &person{
		name:    surname.chinese + given.chinese,
		role:    employee,
		edition: 1 + r.few(3),
	}
	suffix := ""
	if i >= total {
		suffix = strconv.Itoa(i / total)
	}
	switch style := i % 12; {
	case style == 5: // a userid that looks like a customer's at first sight
		p.id = "wm" + surname.latin + "_" + given.latin + suffix
	case style == 8:
		p.id = strconv.Itoa(100200 + i)
	case style == 10:
		p.id = title(given.latin) + title(surname.latin) + suffix
	default:
		p.id = surname.latin + "." + given.latin + suffix
	}
	if r.oneIn(3) {
		p.spelling = respell(p.id)
	}
	return p
}

// respell writes a userid in another case: userids compare without case.
func respell(id string) string {
	if strings.HasPrefix(id, "wm") {
		return "" // a capital after the prefix would make it look external
	}
	parts := strings.Split(id, ".")
	for i, s := range parts {
		parts[i] = title(s)
	}
	other := strings.Join(parts, ".")
	if other == id {
		other = strings.ToLower(id)
	}
	if other == id {
		return ""
	}
	return other
}

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func newCustomer(r *rng, i int) *person {
	prefix := "wm" // on WeChat
	if r.oneIn(5) {
		prefix = "wo" // on WeCom
	}
	// The upper-case first character is what real ids show; the reading of ids
	// relies on one being there.
	p := &person{
		id:   prefix + r.name(idChars[:26], 1) + r.name(idChars, 29),
		role: customer,
	}
	surname, given := pick(r, surnames), pick(r, givenNames)
	switch n := r.n(100); {
	case n < 74:
		p.name = surname.chinese + given.chinese
	case n < 87:
		p.language = traditional
		p.name = surname.chinese + pick(r, honorifics)
	default:
		p.language = english
		p.name = pick(r, englishNames) + " " + title(surname.latin)
	}
	return p
}

func (c *crowd) makeRooms(seed uint64, rooms int) {
	r := stream(seed, forRooms, 0)
	for i := range rooms {
		size := 3 + r.few(38)
		outside := i%2 == 1
		c.addRoom(&r, i, size, outside)
	}
	c.addRoom(&r, len(c.rooms), largeRoom, true)
}

func (c *crowd) addRoom(r *rng, i, size int, outside bool) {
	m := &room{id: "wr" + r.name(idChars, 30), outside: outside}
	staff := size
	if outside {
		staff = max(1, size/4)
	}
	m.members = someOf(r, c.employees, staff)
	if outside {
		guests := someOf(r, c.customers, size-len(m.members))
		m.members = append(m.members, guests...)
		m.language = guests[0].language
	}
	m.name = pick(r, roomNames[m.language])
	if !outside && i%4 == 0 {
		m.robot = c.robots[(i/4)%len(c.robots)]
		m.members = append(m.members, m.robot)
		c.staffed = append(c.staffed, m)
	}
	c.rooms = append(c.rooms, m)
	if outside {
		c.outside = append(c.outside, m)
	} else {
		c.inside = append(c.inside, m)
	}
}

// someOf returns n different persons, or all if there are fewer.
func someOf(r *rng, all []*person, n int) []*person {
	n = min(n, len(all))
	chosen := make([]*person, n)
	start, step := r.n(len(all)), 1
	for _, s := range []int{7, 11, 13, 17} { // coprime to the size: no one comes twice
		if gcd(s, len(all)) == 1 {
			step = s
			break
		}
	}
	for i := range chosen {
		chosen[i] = all[(start+i*step)%len(all)]
	}
	return chosen
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
