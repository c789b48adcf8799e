package wecomtest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
)

// getPermitUserList lists the members whose messages are archived: of one
// edition, or of all.
func (c *Corp) getPermitUserList(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Type int `json:"type"`
	}
	if decode(w, r, &request) {
		answer(w, 0, map[string]any{"ids": c.seats(request.Type)})
	}
}

// Seats lists the members whose messages are archived.
func (c *Corp) Seats(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.seats(0), nil
}

// seats lists the members with a licence of this edition; 0: of any.
func (c *Corp) seats(edition int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]string, 0, len(c.crowd.employees))
	for _, p := range c.crowd.employees {
		if (edition == 0 || p.edition == edition) && !c.office.gone[p.id] && c.office.status[p.id] == 0 {
			ids = append(ids, p.id)
		}
	}
	return ids
}

func (c *Corp) checkSingleAgree(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Info []struct {
			UserID   string `json:"userid"`
			External string `json:"exteranalopenid"`
		} `json:"info"`
	}
	if !decode(w, r, &request) {
		return
	}
	if len(request.Info) > 100 {
		answer(w, 301060, nil)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	info := []map[string]any{}
	for _, pair := range request.Info {
		e, p := c.lookup(pair.UserID, employee), c.lookup(pair.External, customer)
		if e == nil || p == nil {
			answer(w, 301061, nil)
			return
		}
		info = append(info, agreeInfo(c.agreement(e.id, p.id), p.id, "userid", pair.UserID))
	}
	answer(w, 0, map[string]any{"agreeinfo": info})
}

func (c *Corp) checkRoomAgree(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Room string `json:"roomid"`
	}
	if !decode(w, r, &request) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.directory().rooms[request.Room]
	if m == nil || c.office.gone[request.Room] {
		answer(w, 86001, nil)
		return
	}
	info := []map[string]any{}
	for _, p := range m.members {
		if p.role == customer {
			info = append(info, agreeInfo(c.agreement(m.id, p.id), p.id))
		}
	}
	answer(w, 0, map[string]any{"agreeinfo": info})
}

func agreeInfo(a consent, external string, more ...string) map[string]any {
	info := map[string]any{"exteranalopenid": external, "agree_status": a.status, "status_change_time": int64(0)}
	if !a.at.IsZero() {
		info["status_change_time"] = a.at.Unix()
	}
	for pair := range slices.Chunk(more, 2) {
		info[pair[0]] = pair[1]
	}
	return info
}

func (c *Corp) getInternalGroup(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Room string `json:"roomid"`
	}
	if !decode(w, r, &request) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.directory().rooms[request.Room]
	switch {
	case m == nil || c.office.gone[m.id]:
		answer(w, 86001, nil)
	case m.outside:
		answer(w, 301059, nil)
	default:
		members := []map[string]any{}
		for _, p := range m.members {
			members = append(members, map[string]any{"memberid": p.id, "jointime": 1_740_000_000})
		}
		answer(w, 0, map[string]any{
			"roomname": c.nameOf(m.id, m.name), "creator": m.members[0].id, "room_create_time": 1_740_000_000, "notice": "", "members": members,
		})
	}
}

func (c *Corp) getRobot(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.lookup(r.URL.Query().Get("robot_id"), robot)
	if p == nil {
		answer(w, 301061, nil)
		return
	}
	answer(w, 0, map[string]any{"data": map[string]any{
		"robot_id": p.id, "name": c.nameOf(p.id, p.name), "creator_userid": c.crowd.employees[0].id,
	}})
}

func (c *Corp) getUser(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.lookup(r.URL.Query().Get("userid"), employee)
	if p == nil {
		answer(w, 60111, nil)
		return
	}
	status := 1
	if s := c.office.status[p.id]; s != 0 {
		status = s
	}
	answer(w, 0, map[string]any{
		"userid": p.id, "name": c.nameOf(p.id, p.name), "department": []int{departmentOf(p)}, "main_department": departmentOf(p),
		"position": titleOf(p), "status": status, "alias": "",
	})
}

func (c *Corp) getExternal(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("external_userid")
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.directory().people[id]
	switch {
	case p == nil || p.role != customer:
		answer(w, 40096, nil)
	case c.office.gone[id] || len(c.followersOf(id)) == 0:
		answer(w, 84061, nil)
	default:
		follow := []map[string]any{}
		for _, e := range c.followersOf(id) {
			info := c.follow(e, p)
			info["tags"] = []map[string]any{{"group_name": "等级", "tag_name": "老客户", "tag_id": "etAAAA"}}
			follow = append(follow, info)
		}
		answer(w, 0, map[string]any{"external_contact": c.external(p), "follow_user": follow})
	}
}

// getContactsOf pages through the customers of several employees. Its cursor is how
// many were returned.
func (c *Corp) getContactsOf(w http.ResponseWriter, r *http.Request) {
	var request struct {
		UserIDs []string `json:"userid_list"`
		Cursor  string   `json:"cursor"`
		Limit   int      `json:"limit"`
	}
	if !decode(w, r, &request) {
		return
	}
	if request.Limit == 0 {
		request.Limit = 50
	}
	skip, err := strconv.Atoi("0" + request.Cursor)
	if err != nil || len(request.UserIDs) == 0 || len(request.UserIDs) > 100 || request.Limit < 1 || request.Limit > 100 {
		answer(w, 301061, nil)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list, seen, next := []map[string]any{}, 0, ""
	for _, id := range request.UserIDs {
		e := c.lookup(id, employee)
		if e == nil {
			answer(w, 60111, nil)
			return
		}
		for _, p := range c.directory().followed[e.id] {
			if c.office.gone[p.id] {
				continue
			}
			if seen++; seen <= skip {
				continue
			}
			if len(list) == request.Limit {
				next = strconv.Itoa(skip + len(list))
				break
			}
			info := c.follow(e, p)
			info["tag_id"] = []string{"etAAAA"}
			list = append(list, map[string]any{"external_contact": c.external(p), "follow_info": info})
		}
		if next != "" {
			break
		}
	}
	answer(w, 0, map[string]any{"external_contact_list": list, "next_cursor": next})
}

func (c *Corp) getCustomerGroup(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Room     string `json:"chat_id"`
		NeedName int    `json:"need_name"`
	}
	if !decode(w, r, &request) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.directory().rooms[request.Room]
	switch {
	case m == nil || c.office.gone[m.id]:
		answer(w, 86001, nil)
	case !m.outside:
		// Whatever code WeCom gives: these are its words.
		refuse(w, 90500, "not external group chat", nil)
	default:
		members := []map[string]any{}
		for _, p := range m.members {
			member := map[string]any{"userid": p.id, "type": 1, "join_time": 1_740_000_000, "join_scene": 1}
			if p.role == customer {
				member["type"] = 2
			}
			if request.NeedName == 1 {
				member["name"] = c.nameOf(p.id, p.name)
			}
			members = append(members, member)
		}
		answer(w, 0, map[string]any{"group_chat": map[string]any{
			"chat_id": m.id, "name": c.nameOf(m.id, m.name), "owner": m.members[0].id, "create_time": 1_740_000_000, "notice": "", "member_list": members,
		}})
	}
}
