"""HTTP/1.1 for calls to a model: what a general client offers besides costs more than all else that a call needs.

`pool` has connections to one server, `connection` one of them and the responses that come over it, `failures` what may
go wrong. The bytes are parsed by httptools. Downloads, which meet redirects and other servers, go by aiohttp.
"""
