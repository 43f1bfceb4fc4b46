%% heapyard.erl: the native functions of heapyard_nif.c.
%%
%% The shared object is looked for where HEAPYARD_NIF says, else beside the compiled module.
-module(heapyard).
-export([alloc/3, release/1, is_aligned/2, counts/0, system_calls/3, iota/1, slice/1, sum/1, leaks/1, leak_seen/0, raises/1]).
-on_load(load/0).

load() ->
    Default = filename:join(filename:dirname(code:which(?MODULE)), "heapyard_nif"),
    erlang:load_nif(os:getenv("HEAPYARD_NIF", Default), 0).

%% A block of Size bytes at a multiple of Align, from Heap (host, wide or libc): {ok, Block} or {error, out_of_memory}.
%% It ends by release, or with the last term that names it.
alloc(_Heap, _Size, _Align) -> erlang:nif_error(not_loaded).
release(_Block) -> erlang:nif_error(not_loaded).
is_aligned(_Block, _Align) -> erlang:nif_error(not_loaded).

%% {Blocks that live, calls of the machine's heap so far}.
counts() -> erlang:nif_error(not_loaded).

%% What the system is asked for memory while Count blocks of Size bytes are made and freed: {ok, Calls}, or
%% {error, not_told} where the kernel has no way to tell.
system_calls(_Heap, _Count, _Size) -> erlang:nif_error(not_loaded).

%% Lists by way of native memory: of an arena, of the machine's heap.
iota(_N) -> erlang:nif_error(not_loaded).
slice(_N) -> erlang:nif_error(not_loaded).
sum(_List) -> erlang:nif_error(not_loaded).

%% What a call leaves behind is its result: {leak, N}.
leaks(_N) -> erlang:nif_error(not_loaded).
leak_seen() -> erlang:nif_error(not_loaded).

%% Raises half_way after N blocks were made, or leak.
raises(_N) -> erlang:nif_error(not_loaded).
