package promise_test

// Public keys of the curve P-256, made for these tests.
const (
	keyA = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhThV56n7mFFMkjo6SkT6wB/AQ/4z
sfrOVuJtM/8QnA2MFk8MS6jA6F8abKPTen8TPV8tg8+wbc5TudayHz8giA==
-----END PUBLIC KEY-----
`
	keyB = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvqrmQJkZZcDqE/J5Fj17G6GlAiRl
3HglQ2B+BPBrhArqmJBZzmDh2dd+frIryYz+oiIajl+oTC67R6WTb/CAGA==
-----END PUBLIC KEY-----
`
	keyC = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeCMl4z6OVqHclu/zV77lJfDt3UbF
Kql5baZPKKXLuDG1HXycLqLzx/RQmb5Ib4FcwnzwrpC0kWRhrUZ9rT1QBQ==
-----END PUBLIC KEY-----
`
)
