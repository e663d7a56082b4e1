package main

import (
	"net"
	"sync/atomic"
)

const (
	pingFrame   = 6
	goawayFrame = 7
	ack         = 1
)

// What the connections of one client have seen.
type seen struct {
	connections, sentBytes, pingsAnswered, goaways int64
}

// A connection of the client that looks at the frames of HTTP/2 that it reads.
type watchedConn struct {
	net.Conn
	seen *seen
	head []byte
	skip int // bytes until the next frame begins
}

func watch(conn net.Conn, seen *seen) net.Conn {
	atomic.AddInt64(&seen.connections, 1)
	return &watchedConn{Conn: conn, seen: seen}
}

func (conn *watchedConn) Write(bytes []byte) (int, error) {
	atomic.AddInt64(&conn.seen.sentBytes, int64(len(bytes)))
	return conn.Conn.Write(bytes)
}

func (conn *watchedConn) Read(bytes []byte) (int, error) {
	size, err := conn.Conn.Read(bytes)
	for rest := bytes[:size]; len(rest) > 0; {
		passed := len(rest)
		if conn.skip > 0 {
			if passed > conn.skip {
				passed = conn.skip
			}
			conn.skip -= passed
		} else {
			if passed > 9-len(conn.head) {
				passed = 9 - len(conn.head)
			}
			conn.head = append(conn.head, rest[:passed]...)
			if len(conn.head) == 9 {
				conn.look()
			}
		}
		rest = rest[passed:]
	}
	return size, err
}

func (conn *watchedConn) look() {
	head := conn.head
	conn.head = nil
	conn.skip = int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	if head[3] == pingFrame && head[4]&ack != 0 {
		atomic.AddInt64(&conn.seen.pingsAnswered, 1)
	}
	if head[3] == goawayFrame {
		atomic.AddInt64(&conn.seen.goaways, 1)
	}
}
