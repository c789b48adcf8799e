package wecomtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What WeCom allows for one API (D90312), and how long it bans after that.
const (
	perMinute = 10_000
	perHour   = 150_000
)

// office is what the companion API knows beyond the crowd: changes that a test or a
// demonstration makes. What was said in messages does not depend on it.
type office struct {
	tokens  [secretKinds]token
	serials uint64
	refuse  [secretKinds]int // errcode of all calls
	revoked bool             // the app's secret
	calls   map[string]int   // by API
	meters  map[string]*meter
	onCall  func(api string)

	names  map[string]string // of people and rooms, by id, where they differ from the crowd's
	gone   map[string]bool   // ids that WeCom does not know any more
	status map[string]int    // of employees: 5 left
	agreed map[[2]string]consent
	found  *directory // by id
}

type consent struct {
	status string
	at     time.Time
}

// meter counts the calls of one API.
type meter struct {
	minute, hour     time.Time // that the counts are of
	inMinute, inHour int
	bannedUntil      time.Time
}

// meter counts a call; it is the errcode for one too many.
func (c *Corp) meter(api string, limit int) (errcode int) {
	now := c.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.office.meters == nil {
		c.office.meters = map[string]*meter{}
	}
	m := c.office.meters[api]
	if m == nil {
		m = &meter{}
		c.office.meters[api] = m
	}
	if minute := now.Truncate(time.Minute); !minute.Equal(m.minute) {
		m.minute, m.inMinute = minute, 0
	}
	if hour := now.Truncate(time.Hour); !hour.Equal(m.hour) {
		m.hour, m.inHour = hour, 0
	}
	m.inMinute++
	m.inHour++
	if m.inHour > perHour && !now.Before(m.bannedUntil) {
		m.bannedUntil = now.Add(time.Hour)
	}
	if m.inMinute > limit && !now.Before(m.bannedUntil) {
		m.bannedUntil = now.Add(time.Minute)
	}
	if now.Before(m.bannedUntil) {
		return 45009
	}
	return 0
}

// Ban makes an API answer 45009 for so long, as after too many calls.
func (c *Corp) Ban(api string, d time.Duration) {
	until := c.config.Now().Add(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.office.meters == nil {
		c.office.meters = map[string]*meter{}
	}
	if c.office.meters[api] == nil {
		c.office.meters[api] = &meter{}
	}
	c.office.meters[api].bannedUntil = until
}

// Rename gives a person or a room another name.
func (c *Corp) Rename(id, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.office.names == nil {
		c.office.names = map[string]string{}
	}
	c.office.names[id] = name
}

// Leave lets an employee leave: WeCom still knows the name, with status 5.
func (c *Corp) Leave(userid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.office.status == nil {
		c.office.status = map[string]int{}
	}
	c.office.status[userid] = 5
}

// Vanish makes WeCom forget an id: an employee who was deleted, a customer whom
// nobody follows, a room that was dissolved.
func (c *Corp) Vanish(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.office.gone == nil {
		c.office.gone = map[string]bool{}
	}
	c.office.gone[id] = true
}

// Agree sets the answer of a customer to an employee, or, with a room's id instead
// of a userid, in a room: Agree, Disagree or Default_Agree.
func (c *Corp) Agree(useridOrRoom, external, status string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.office.agreed == nil {
		c.office.agreed = map[[2]string]consent{}
	}
	c.office.agreed[[2]string{useridOrRoom, external}] = consent{status, at}
}

// agreement is the answer of a customer. Unless set, most agreed to an employee
// long ago and some did not answer. The lock is held.
func (c *Corp) agreement(useridOrRoom, external string) consent {
	if a, ok := c.office.agreed[[2]string{useridOrRoom, external}]; ok {
		return a
	}
	if len(external) > 0 && external[len(external)-1]%5 == 0 {
		return consent{status: "Default_Agree"}
	}
	return consent{"Agree", time.Unix(1_750_000_000, 0)}
}

// Someone is a person or a room, as the corp knows it now.
type Someone struct {
	ID   string
	Name string
	Gone bool // WeCom does not know it any more
}

// Employees, Customers and Robots list people, ChatRooms rooms.
func (c *Corp) Employees() []Someone { return c.some(c.crowd.employees) }

// Customers: see Employees. One whom nobody follows any more is gone.
func (c *Corp) Customers() []Someone {
	all := c.some(c.crowd.customers)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range all {
		all[i].Gone = all[i].Gone || len(c.followersOf(all[i].ID)) == 0
	}
	return all
}

// Robots: see Employees.
func (c *Corp) Robots() []Someone { return c.some(c.crowd.robots) }

func (c *Corp) some(people []*person) []Someone {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Someone, len(people))
	for i, p := range people {
		all[i] = Someone{p.id, c.nameOf(p.id, p.name), c.office.gone[p.id]}
	}
	return all
}

// ChatRoom is a room.
type ChatRoom struct {
	Someone
	Members   []string // ids
	Customers bool     // has some
}

// ChatRooms: see Employees.
func (c *Corp) ChatRooms() []ChatRoom {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]ChatRoom, len(c.crowd.rooms))
	for i, m := range c.crowd.rooms {
		all[i] = ChatRoom{Someone{m.id, c.nameOf(m.id, m.name), c.office.gone[m.id]}, nil, m.outside}
		for _, p := range m.members {
			all[i].Members = append(all[i].Members, p.id)
		}
	}
	return all
}

// nameOf is a name as it is now. The lock is held.
func (c *Corp) nameOf(id, name string) string {
	if other, ok := c.office.names[id]; ok {
		return other
	}
	return name
}

// directory finds people and rooms by id.
type directory struct {
	people    map[string]*person // employees by their lower-case userid
	rooms     map[string]*room
	followers map[string][]*person // of a customer
	followed  map[string][]*person // by an employee's id
}

// directory makes it when it is first asked for. The lock is held.
func (c *Corp) directory() *directory {
	if c.office.found != nil {
		return c.office.found
	}
	d := &directory{map[string]*person{}, map[string]*room{}, map[string][]*person{}, map[string][]*person{}}
	staff := c.crowd.employees
	for _, p := range staff {
		d.people[strings.ToLower(p.id)] = p
	}
	for _, p := range c.crowd.robots {
		d.people[p.id] = p
	}
	for i, p := range c.crowd.customers {
		d.people[p.id] = p
		followers := []*person{staff[i%len(staff)]}
		if other := staff[(i*7+1)%len(staff)]; i%10 == 3 && other != followers[0] {
			followers = append(followers, other)
		}
		for _, f := range followers {
			d.followers[p.id] = append(d.followers[p.id], f)
			d.followed[f.id] = append(d.followed[f.id], p)
		}
	}
	for _, m := range c.crowd.rooms {
		d.rooms[m.id] = m
	}
	c.office.found = d
	return d
}

// lookup finds a person of a role that WeCom still knows. The lock is held.
func (c *Corp) lookup(id string, want role) *person {
	if want == employee {
		id = strings.ToLower(id)
	}
	p := c.directory().people[id]
	if p == nil || p.role != want || c.office.gone[p.id] {
		return nil
	}
	return p
}

// external is a customer as WeCom shows it.
func (c *Corp) external(p *person) map[string]any {
	fields := map[string]any{"external_userid": p.id, "name": c.nameOf(p.id, p.name), "type": 1}
	if strings.HasPrefix(p.id, "wo") {
		fields["type"], fields["corp_name"], fields["corp_full_name"] = 2, "示例贸易", "示例贸易有限公司"
	}
	return fields
}

// follow is what an employee noted of a customer.
func (c *Corp) follow(e, p *person) map[string]any {
	return map[string]any{"userid": e.id, "remark": "", "description": "", "createtime": 1_740_000_000}
}

// followersOf are the employees who follow a customer and are still there.
func (c *Corp) followersOf(id string) []*person {
	return slices.DeleteFunc(slices.Clone(c.directory().followers[id]), func(e *person) bool { return c.office.gone[e.id] })
}

// departmentOf spreads employees over 12 departments.
func departmentOf(p *person) int { return 1 + int(p.id[len(p.id)-1])%12 }

func titleOf(p *person) string { return fmt.Sprintf("专员%d", departmentOf(p)) }
