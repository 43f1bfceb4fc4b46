%% heapyard_tests.erl: heapyard inside the virtual machine, and the machine's own account of it.
-module(heapyard_tests).
-include_lib("eunit/include/eunit.hrl").

-define(MEGABYTE, 1000000).

total() -> erlang:memory(total).

%% What is live when everything that can be collected was.
settled() ->
    erlang:garbage_collect(),
    timer:sleep(10),
    total().

%% ---- the machine's account ----

the_machine_sees_its_heap_test() ->
    Before = settled(),
    {ok, Block} = heapyard:alloc(host, ?MEGABYTE, 8),
    ?assert(total() - Before >= ?MEGABYTE),
    ok = heapyard:release(Block),
    ?assert(settled() - Before < ?MEGABYTE div 2).

the_machine_does_not_see_libc_test() ->
    Before = settled(),
    {ok, Block} = heapyard:alloc(libc, ?MEGABYTE, 8),
    ?assert(total() - Before < ?MEGABYTE div 2),
    ok = heapyard:release(Block).

calls_of_both_heaps_are_counted_side_by_side_test() ->
    {_, Before} = heapyard:counts(),
    {ok, Host} = heapyard:alloc(host, 100, 8),
    {_, Between} = heapyard:counts(),
    {ok, Libc} = heapyard:alloc(libc, 100, 8),
    {_, After} = heapyard:counts(),
    ?assertEqual({1, 0}, {Between - Before, After - Between}),
    ok = heapyard:release(Host),
    ok = heapyard:release(Libc).

system_calls_of_both_heaps_are_counted_side_by_side_test_() ->
    {timeout, 60, fun() ->
        [side_by_side(Count, Size) || {Count, Size} <- [{1000, 100}, {50, ?MEGABYTE}]]
    end}.

side_by_side(Count, Size) ->
    case {heapyard:system_calls(host, Count, Size), heapyard:system_calls(libc, Count, Size)} of
        {{ok, Host}, {ok, Libc}} ->
            ?debugFmt("~p blocks of ~p bytes: ~p system calls by host, ~p by malloc", [Count, Size, Host, Libc]),
            %% Small blocks share what the system gave; large ones are no more than made and given back.
            [?assert(Calls =< if Size < 1000 -> Count div 10; true -> 4 * Count end) || Calls <- [Host, Libc]],
            ?assert(Size < ?MEGABYTE orelse Libc > 0);
        Other ->
            ?debugFmt("system calls are not counted here: ~p", [Other]),
            ?assertEqual({{error, not_told}, {error, not_told}}, Other)
    end.

a_thousand_calls_leave_nothing_test_() ->
    {timeout, 60, fun() ->
        Run = fun() ->
            [0, 1, 2, 3] = heapyard:iota(4),
            6 = heapyard:sum([1, 2, 3]),
            [0, 1, 2] = heapyard:slice(3),
            {ok, Block} = heapyard:alloc(wide, 5000, 4096),
            ok = heapyard:release(Block)
        end,
        Run(),
        Before = settled(),
        [Run() || _ <- lists:seq(1, 1000)],
        After = settled(),
        %% 1,000 lost blocks of 5,000 bytes would be five times as much.
        ?assert(After - Before < ?MEGABYTE),
        ?debugFmt("memory(total): ~p before 1,000 calls, ~p after", [Before, After])
    end}.

%% ---- alignment ----

strong_alignments_are_refused_by_host_and_served_by_wide_test() ->
    ?assertEqual({error, out_of_memory}, heapyard:alloc(host, 100, 4096)),
    {ok, Block} = heapyard:alloc(wide, 100, 4096),
    ?assert(heapyard:is_aligned(Block, 4096)),
    ok = heapyard:release(Block),
    ?assertNot(heapyard:is_aligned(Block, 1)).

%% ---- values ----

an_arena_makes_and_decodes_lists_test() ->
    ?assertEqual([0, 1, 2, 3], heapyard:iota(4)),
    ?assertEqual([], heapyard:iota(0)),
    ?assertEqual(lists:seq(0, 9999), heapyard:iota(10000)),
    ?assertEqual(6, heapyard:sum([1, 2, 3])),
    ?assertEqual(0, heapyard:sum([])),
    ?assertEqual(-1, heapyard:sum([1, -2])).

a_raw_slice_makes_a_list_test() ->
    ?assertEqual([0, 1, 2], heapyard:slice(3)),
    ?assertEqual([], heapyard:slice(0)).

%% ---- leaks ----

a_leak_is_told_by_the_call_that_made_it_test() ->
    Before = settled(),
    ?assertEqual({leak, 3}, heapyard:leaks(3)),
    ?assertEqual(ok, heapyard:leaks(0)),
    ?assertEqual({leak, 1}, heapyard:leaks(1)),
    [{leak, 100} = heapyard:leaks(100) || _ <- lists:seq(1, 100)],
    %% Each call has told, and given back.
    ?assert(settled() - Before < ?MEGABYTE).

a_leak_is_seen_while_a_block_lives_test() ->
    ?assertEqual({false, true, false}, heapyard:leak_seen()).

%% ---- resources ----

a_block_ends_with_its_last_term_test() ->
    {Live, _} = heapyard:counts(),
    Self = self(),
    Owner = spawn(fun() ->
        Blocks = [heapyard:alloc(wide, 1000, 64) || _ <- lists:seq(1, 10)],
        Self ! {made, length(Blocks)},
        receive stop -> Blocks end
    end),
    receive {made, 10} -> ok end,
    ?assertEqual(Live + 10, element(1, heapyard:counts())),
    Monitor = monitor(process, Owner),
    Owner ! stop,
    receive {'DOWN', Monitor, process, Owner, _} -> ok end,
    ?assertEqual(Live, wait_for(Live, 100)).

%% Resources of a process that ended are ended soon after.
wait_for(_, 0) -> element(1, heapyard:counts());
wait_for(Live, Turns) ->
    case heapyard:counts() of
        {Live, _} -> Live;
        _ -> timer:sleep(20), wait_for(Live, Turns - 1)
    end.

a_block_is_released_once_test() ->
    {ok, Block} = heapyard:alloc(host, 10, 8),
    ok = heapyard:release(Block),
    ?assertError(badarg, heapyard:release(Block)).

%% ---- what goes wrong ----

a_function_that_raises_half_way_leaks_nothing_test() ->
    Before = settled(),
    [?assertError(half_way, heapyard:raises(100)) || _ <- lists:seq(1, 100)],
    ?assert(settled() - Before < ?MEGABYTE).

wrong_terms_are_badarg_test_() ->
    [?_assertError(badarg, Call()) || Call <- [
        fun() -> heapyard:alloc(nowhere, 1, 8) end,
        fun() -> heapyard:alloc("host", 1, 8) end,
        fun() -> heapyard:alloc(an_atom_of_many_letters, 1, 8) end,
        fun() -> heapyard:alloc(host, 0, 8) end,
        fun() -> heapyard:alloc(host, -1, 8) end,
        fun() -> heapyard:alloc(host, 1.5, 8) end,
        fun() -> heapyard:alloc(host, 1 bsl 64, 8) end,
        fun() -> heapyard:alloc(host, 1, 3) end,
        fun() -> heapyard:alloc(host, 1, 0) end,
        fun() -> heapyard:release(block) end,
        fun() -> heapyard:release(make_ref()) end,
        fun() -> heapyard:is_aligned(make_ref(), 8) end,
        fun() -> heapyard:system_calls(nowhere, 1, 1) end,
        fun() -> heapyard:system_calls(host, -1, 1) end,
        fun() -> heapyard:system_calls(host, 1, big) end,
        fun() -> heapyard:iota(-1) end,
        fun() -> heapyard:iota(four) end,
        fun() -> heapyard:slice(<<3>>) end,
        fun() -> heapyard:sum(7) end,
        fun() -> heapyard:sum([1, two]) end,
        fun() -> heapyard:sum([1 | 2]) end,
        fun() -> heapyard:sum([1 bsl 63]) end,
        fun() -> heapyard:sum([1 bsl 62, 1 bsl 62]) end,
        fun() -> heapyard:leaks(-1) end,
        fun() -> heapyard:raises(x) end
    ]].

sizes_that_no_heap_has_are_refused_test() ->
    ?assertEqual({error, out_of_memory}, heapyard:alloc(host, (1 bsl 64) - 1, 8)),
    ?assertEqual({error, out_of_memory}, heapyard:alloc(wide, (1 bsl 64) - 1, 4096)),
    ?assertEqual({error, out_of_memory}, heapyard:alloc(libc, (1 bsl 63), 8)).
