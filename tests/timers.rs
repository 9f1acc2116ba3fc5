//! libzmq's timers.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use common::eventually;
use zmq::{Errno, TimerId, Timers};

const SHORT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(3600);

/// Waits for the next timers and runs them.
fn turn(timers: &mut Timers<'_>) -> usize {
    let timeout = timers.timeout().expect("a timer");
    thread::sleep(timeout);
    timers.execute().unwrap()
}

#[deadline::test]
fn timers_repeat_in_their_intervals() {
    let calls = RefCell::new(Vec::new());
    let mut timers = Timers::new().unwrap();
    assert_eq!(timers.timeout(), None);
    assert_eq!(timers.execute().unwrap(), 0);
    let start = Instant::now();
    let fast = timers.add(SHORT, |_, timer| calls.borrow_mut().push(timer)).unwrap();
    let slow = timers.add(SHORT * 3, |_, timer| calls.borrow_mut().push(timer)).unwrap();
    assert_ne!(fast, slow);
    assert!(timers.timeout().unwrap() <= SHORT);
    while !calls.borrow().contains(&slow) {
        turn(&mut timers);
    }
    assert!(start.elapsed() >= SHORT * 3 - Duration::from_millis(1));
    let fast_ones = calls.borrow().iter().filter(|timer| **timer == fast).count();
    assert!((1..=3).contains(&fast_ones), "{fast_ones}");
}

#[deadline::test]
fn intervals_are_whole_milliseconds_and_never_zero() {
    let mut timers = Timers::new().unwrap();
    let refused = |timers: &mut Timers<'_>, interval| timers.add(interval, |_, _| {}).unwrap_err();
    assert_eq!(refused(&mut timers, Duration::ZERO).errno(), Errno::EINVAL);
    let error = refused(&mut timers, Duration::MAX);
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "zmq_timers_add"));
    let longest = Duration::from_millis(i32::MAX as u64);
    assert_eq!(refused(&mut timers, longest + Duration::from_nanos(1)).errno(), Errno::EINVAL);
    assert_eq!(timers.timeout(), None, "a refused timer is not added");
    let timer = timers.add(longest, |_, _| {}).unwrap();
    assert!(timers.timeout().unwrap() > longest - LONG);
    assert_eq!(timers.set_interval(timer, Duration::ZERO).unwrap_err().errno(), Errno::EINVAL);
    timers.set_interval(timer, Duration::from_nanos(1)).unwrap();
    assert!(timers.timeout().unwrap() <= Duration::from_millis(1));
    thread::sleep(Duration::from_millis(3));
    assert_eq!(timers.execute().unwrap(), 1);
}

#[deadline::test]
fn cancelled_timer_does_not_run() {
    let mut timers = Timers::new().unwrap();
    let timer = timers.add(SHORT, |_, _| panic!("it was cancelled")).unwrap();
    let other = timers.add(LONG, |_, _| {}).unwrap();
    timers.cancel(timer).unwrap();
    for refused in [timers.cancel(timer), timers.reset(timer), timers.set_interval(timer, SHORT)] {
        assert_eq!(refused.unwrap_err().errno(), Errno::EINVAL);
    }
    thread::sleep(SHORT * 2);
    assert_eq!(timers.execute().unwrap(), 0);
    assert!(timers.timeout().unwrap() > SHORT);
    timers.cancel(other).unwrap();
    assert_eq!(timers.timeout(), None);
}

#[deadline::test]
fn timer_that_is_not_due_does_not_run() {
    let mut timers = Timers::new().unwrap();
    timers.add(LONG, |_, _| panic!("it is not due")).unwrap();
    assert_eq!(timers.execute().unwrap(), 0);
}

#[deadline::test]
fn reset_begins_the_interval_again() {
    let mut timers = Timers::new().unwrap();
    let timer = timers.add(LONG, |_, _| {}).unwrap();
    // The reset is repeated if the machine is busy in between.
    eventually("more time is left than before", || {
        thread::sleep(SHORT);
        let before = timers.timeout().unwrap();
        assert!(before <= LONG - SHORT);
        timers.reset(timer).unwrap();
        timers.timeout().unwrap() > before
    });
}

/// In C each of these calls inside a handler is a use after free, or never returns.
#[deadline::test]
fn handlers_may_call_every_method_of_their_timers() {
    let calls = Rc::new(Cell::new([0; 6]));
    let count = |place: usize| {
        let calls = calls.clone();
        move || {
            let mut now = calls.get();
            now[place] += 1;
            calls.set(now);
        }
    };
    let mut timers = Timers::new().unwrap();
    let others: Rc<RefCell<Vec<TimerId>>> = Rc::default();
    let (called, known) = (count(0), others.clone());
    let victim = timers.add(SHORT, move |_, _| called()).unwrap();
    known.borrow_mut().push(victim);
    let (called, known) = (count(1), others.clone());
    timers
        .add(SHORT, move |timers, me| {
            called();
            timers.reset(me).unwrap();
            timers.set_interval(me, SHORT / 2).unwrap();
            for other in known.borrow().iter() {
                timers.reset(*other).unwrap();
                timers.set_interval(*other, SHORT).unwrap();
            }
            assert!(timers.timeout().is_some());
            timers.execute().unwrap();
        })
        .unwrap();
    let (called, known) = (count(2), others.clone());
    timers
        .add(SHORT, move |timers, me| {
            called();
            timers.cancel(me).unwrap();
            for other in known.borrow_mut().drain(..) {
                timers.cancel(other).unwrap();
            }
        })
        .unwrap();
    let (called, added) = (count(3), count(4));
    timers
        .add(SHORT, move |timers, me| {
            called();
            let added = added.clone();
            timers
                .add(Duration::from_millis(1), move |timers, me| {
                    added();
                    timers.cancel(me).unwrap();
                })
                .unwrap();
            if timers.execute().is_ok() {
                timers.set_interval(me, SHORT).unwrap();
            }
        })
        .unwrap();
    while calls.get()[4] < 5 {
        turn(&mut timers);
    }
    let [victim, resetting, cancelling, adding, ..] = calls.get();
    assert!(victim <= 1 && resetting > 1 && cancelling == 1 && adding >= 5, "{:?}", calls.get());
}

#[deadline::test]
fn timer_that_is_cancelled_in_the_same_run_does_not_run() {
    let ran = Rc::new(Cell::new(0));
    let ids: Rc<RefCell<Vec<TimerId>>> = Rc::default();
    let mut timers = Timers::new().unwrap();
    for _ in 0..2 {
        let (counter, others) = (ran.clone(), ids.clone());
        let id = timers.add(SHORT, move |timers, _| {
            counter.set(counter.get() + 1);
            for timer in others.borrow_mut().drain(..) {
                timers.cancel(timer).unwrap();
            }
        });
        ids.borrow_mut().push(id.unwrap());
    }
    thread::sleep(SHORT * 2);
    assert_eq!(timers.execute().unwrap(), 1);
    assert_eq!(ran.get(), 1);
    assert_eq!(timers.timeout(), None);
}

#[deadline::test]
fn panic_of_a_handler_is_passed_on_and_loses_no_other_timer() {
    let ran = Rc::new(Cell::new((0, 0)));
    let mut timers = Timers::new().unwrap();
    for _ in 0..2 {
        let counter = ran.clone();
        timers
            .add(SHORT, move |_, _| {
                let (panicked, well) = counter.get();
                if panicked == 0 {
                    counter.set((1, well));
                    panic!("on purpose");
                }
                counter.set((panicked, well + 1));
            })
            .unwrap();
    }
    thread::sleep(SHORT * 2);
    let panic = catch_unwind(AssertUnwindSafe(|| timers.execute())).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    assert_eq!(timers.timeout(), Some(Duration::ZERO), "the other is still due");
    timers.execute().unwrap();
    assert!(ran.get().1 >= 1);
    // The timer that panicked is called again.
    let before = ran.get().1;
    while ran.get().1 < before + 2 {
        turn(&mut timers);
    }
}

#[deadline::test]
fn execute_runs_a_thousand_timers() {
    let ran = Cell::new(0);
    let mut timers = Timers::new().unwrap();
    for _ in 0..1000 {
        timers.add(SHORT, |_, _| ran.set(ran.get() + 1)).unwrap();
    }
    thread::sleep(SHORT * 3);
    assert_eq!(timers.execute().unwrap(), 1000);
    assert_eq!(format!("{timers:?}"), "Timers { timers: 1000 }");
    drop(timers);
    assert_eq!(ran.get(), 1000);
}
