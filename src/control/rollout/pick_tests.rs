use proptest::prelude::*;

use super::*;
use crate::control::rollout::board::Board;

/// What may happen between two looks of the operator.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It picks, and gives permits.
    Pick,
    /// A Runtime begins, if it may.
    Begin(usize),
    /// An upgrade succeeds.
    Succeed(usize),
    /// An upgrade fails, and what was is back.
    Fail(usize),
    /// A person asks for another try of one that failed.
    Retry(usize),
    /// The platform allows so many at once from now on.
    Limit(usize),
    /// The operator looks at a Runtime.
    See(usize),
    /// A Runtime goes down by itself, and the operator sees it.
    Break(usize),
    /// It is back, and the operator sees it.
    Mend(usize),
    /// One that is off starts. What it was moved to meanwhile has to prove itself.
    Start(usize),
    /// The operator restarts: permits and what it saw are lost, claims aren't.
    Restart,
}

fn events(members: usize) -> impl Strategy<Value = Vec<Event>> {
    let any = 0..members;
    let one = prop_oneof![
        4 => Just(Event::Pick),
        4 => any.clone().prop_map(Event::Begin),
        2 => any.clone().prop_map(Event::Succeed),
        1 => any.clone().prop_map(Event::Fail),
        1 => any.clone().prop_map(Event::Retry),
        1 => (1_usize..5).prop_map(Event::Limit),
        4 => any.clone().prop_map(Event::See),
        1 => any.clone().prop_map(Event::Break),
        1 => any.clone().prop_map(Event::Mend),
        1 => any.prop_map(Event::Start),
        1 => Just(Event::Restart),
    ];
    prop::collection::vec(one, 1..200)
}

/// The Runtimes as they are, beside what the operator knows of them.
struct Fleet {
    members: Vec<Member>,
    truth: Vec<Standing>,
    proof: Proof,
    board: Board,
}

/// What came of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// So many were let begin.
    Granted(usize),
    /// One began that was let.
    Began,
    /// Something else, or nothing.
    Other,
}

impl Fleet {
    fn new(serving: usize, off: usize) -> Self {
        let truth: Vec<Standing> = std::iter::repeat_n(Standing::Serving, serving)
            .chain(std::iter::repeat_n(Standing::Off, off))
            .collect();
        let members = (0..truth.len())
            .map(|at| Member {
                uid: format!("{at:03}"),
                stage: Stage::Outdated,
                standing: Standing::Unknown,
                permit: Permit::None,
                record: Record::Clean,
            })
            .collect();
        Self { members, truth, proof: Proof::None, board: Board::default() }
    }

    fn at(&mut self, at: usize) -> (&mut Member, &mut Standing) {
        (&mut self.members[at], &mut self.truth[at])
    }

    /// Those that don't serve and should, are on their way, or may be at any moment.
    fn unavailable(&self) -> usize {
        let busy = |(member, truth): &(&Member, &Standing)| {
            member.stage == Stage::Moving || member.permit == Permit::Granted || **truth == Standing::Down
        };
        self.members.iter().zip(&self.truth).filter(busy).count()
    }

    fn happen(&mut self, event: Event, max: usize, on_failure: OnFailure) -> Came {
        let came = self.come(event, max, on_failure);
        for member in &mut self.members {
            member.permit = self.board.permit(&member.uid);
        }
        came
    }

    fn come(&mut self, event: Event, max: usize, on_failure: OnFailure) -> Came {
        match event {
            Event::Pick => {
                let serves =
                    |member: &Member| (member.stage, member.standing) == (Stage::Current, Standing::Serving);
                if self.members.iter().any(serves) {
                    self.proof = Proof::Proved;
                }
                let known = self.board.failures();
                let picked = pick(max, on_failure, self.proof, &self.members);
                for uid in &picked.grants {
                    let granted = self.members.iter().find(|member| member.uid == *uid).unwrap();
                    assert_eq!((granted.stage, granted.permit), (Stage::Outdated, Permit::None));
                    self.board.grant(uid, known);
                }
                picked.withdrawals.iter().for_each(|uid| self.board.withdraw(uid));
                return Came::Granted(picked.grants.len());
            }
            Event::Begin(at) => {
                let member = &mut self.members[at];
                if self.board.begin(&member.uid).is_some() {
                    member.stage = Stage::Moving;
                    self.board.recorded(&member.uid);
                    return Came::Began;
                }
            }
            Event::Succeed(at) => self.end(at, Stage::Current),
            Event::Fail(at) => self.end(at, Stage::Failed),
            Event::Retry(at) => {
                let (member, _) = self.at(at);
                if member.stage == Stage::Failed {
                    member.stage = Stage::Moving;
                }
            }
            Event::See(at) => {
                let (member, truth) = self.at(at);
                member.standing = *truth;
            }
            Event::Break(at) => self.turn(at, Standing::Serving, Standing::Down),
            Event::Mend(at) => self.turn(at, Standing::Down, Standing::Serving),
            Event::Start(at) => {
                let (member, truth) = self.at(at);
                if *truth == Standing::Off && member.stage == Stage::Unproved {
                    member.stage = Stage::Moving;
                }
                self.turn(at, Standing::Off, Standing::Serving);
            }
            Event::Restart => {
                (self.proof, self.board) = (Proof::None, Board::default());
                self.members.iter_mut().for_each(|member| member.standing = Standing::Unknown);
            }
            Event::Limit(_) => {}
        }
        Came::Other
    }

    /// One that is off comes to no end before it starts.
    fn end(&mut self, at: usize, stage: Stage) {
        let (member, truth) = self.at(at);
        if member.stage != Stage::Moving {
            return;
        }
        member.stage = if *truth == Standing::Off { Stage::Unproved } else { stage };
        match member.stage {
            Stage::Failed => {
                member.record = Record::Failed;
                self.board.failure();
            }
            Stage::Current => member.record = Record::Clean,
            _ => {}
        }
    }

    fn turn(&mut self, at: usize, from: Standing, to: Standing) {
        let (member, truth) = self.at(at);
        if *truth == from {
            *truth = to;
            member.standing = to;
        }
    }
}

proptest! {
    /// Whatever happens in whatever order: nobody is let begin who would make more unavailable than may be.
    #[test]
    fn no_more_than_the_limit_are_ever_let_begin(
        serving in 1_usize..12, off in 0_usize..6, max in 1_usize..5, course in events(18)
    ) {
        let mut fleet = Fleet::new(serving, off);
        let many = fleet.members.len();
        for event in course {
            let event = within(event, many);
            let came = fleet.happen(event, max, OnFailure::GoOn);
            if !matches!(came, Came::Granted(0) | Came::Began | Came::Other) {
                prop_assert!(fleet.unavailable() <= max, "{} of {max}", fleet.unavailable());
            }
        }
    }

    /// While nothing breaks by itself, no more than the limit are ever unavailable, at any moment.
    #[test]
    fn no_more_than_the_limit_are_ever_unavailable(
        serving in 1_usize..12, off in 0_usize..6, max in 1_usize..5, course in events(18)
    ) {
        let mut fleet = Fleet::new(serving, off);
        let many = fleet.members.len();
        // A person may ask for another try, or start one that was moved while it was off, at any time.
        let alone = |event: &Event| !matches!(event, Event::Break(_) | Event::Retry(_) | Event::Start(_));
        for event in course.into_iter().filter(alone) {
            fleet.happen(within(event, many), max, OnFailure::GoOn);
            prop_assert!(fleet.unavailable() <= max, "{} of {max}", fleet.unavailable());
        }
    }

    /// Where fewer are allowed, or more go down, those that were let begin and haven't are fewer at once.
    #[test]
    fn a_lower_limit_holds_for_those_that_have_not_begun(
        serving in 1_usize..12, off in 0_usize..6, course in events(18)
    ) {
        let mut fleet = Fleet::new(serving, off);
        let many = fleet.members.len();
        let mut max = 4;
        for event in course {
            let event = within(event, many);
            if let Event::Limit(limit) = event {
                max = limit;
            }
            if let Came::Granted(_) = fleet.happen(event, max, OnFailure::GoOn) {
                let busy = fleet.members.iter().filter(|member| member.is_busy(fleet.proof)).count();
                let let_begin = fleet.members.iter().any(|member| member.permit == Permit::Granted);
                prop_assert!(busy <= max || !let_begin, "{busy} of {max}");
            }
        }
    }

    /// Once one has failed, nobody else is let begin, and nobody begins who was let before, whatever is tried again, until
    /// it serves there too; restarts or not.
    #[test]
    fn a_failure_stops_it(serving in 1_usize..12, off in 0_usize..6, max in 1_usize..5, course in events(18)) {
        let mut fleet = Fleet::new(serving, off);
        let many = fleet.members.len();
        for event in course {
            let stopped = fleet.members.iter().any(|member| member.record == Record::Failed);
            let came = fleet.happen(within(event, many), max, OnFailure::Pause);
            prop_assert!(!stopped || matches!(came, Came::Granted(0) | Came::Other), "{came:?}");
        }
    }

    /// Whatever happened, in the end every Runtime is moved, if each is looked at and succeeds.
    #[test]
    fn it_comes_to_an_end(serving in 0_usize..12, off in 0_usize..6, max in 1_usize..5, course in events(18)) {
        let mut fleet = Fleet::new(serving, off);
        let many = fleet.members.len();
        if many == 0 { return Ok(()); }
        for event in course.into_iter().filter(|event| !matches!(event, Event::Fail(_))) {
            fleet.happen(within(event, many), max, OnFailure::Pause);
        }
        for _ in 0..=many + 1 {
            for at in 0..many {
                let turn = [Event::Mend(at), Event::See(at), Event::Begin(at), Event::Succeed(at)];
                for event in turn.into_iter().chain([Event::Start(at), Event::Succeed(at)]) {
                    fleet.happen(event, max, OnFailure::Pause);
                }
            }
            fleet.happen(Event::Pick, max, OnFailure::Pause);
        }
        let picked = pick(max, OnFailure::Pause, fleet.proof, &fleet.members);
        prop_assert_eq!(picked.progress, Progress::Done);
    }
}

fn within(event: Event, many: usize) -> Event {
    match event {
        Event::Begin(at) => Event::Begin(at % many),
        Event::Succeed(at) => Event::Succeed(at % many),
        Event::Fail(at) => Event::Fail(at % many),
        Event::Retry(at) => Event::Retry(at % many),
        Event::See(at) => Event::See(at % many),
        Event::Break(at) => Event::Break(at % many),
        Event::Mend(at) => Event::Mend(at % many),
        Event::Start(at) => Event::Start(at % many),
        Event::Pick | Event::Limit(_) | Event::Restart => event,
    }
}

#[test]
fn those_that_serve_go_first() {
    let member = |uid: &str, standing| Member {
        uid: uid.into(),
        stage: Stage::Outdated,
        standing,
        permit: Permit::None,
        record: Record::Clean,
    };
    let members =
        [member("a", Standing::Off), member("b", Standing::Serving), member("c", Standing::Serving)];
    assert_eq!(pick(2, OnFailure::Pause, Proof::None, &members).grants, ["b", "c"]);
}

#[test]
fn what_is_down_holds_a_rollout_back_and_what_is_off_does_not() {
    let member = |uid: &str, standing| Member {
        uid: uid.into(),
        stage: Stage::Outdated,
        standing,
        permit: Permit::None,
        record: Record::Clean,
    };
    let members = [member("a", Standing::Down), member("b", Standing::Off)];
    let pick = |max| pick(max, OnFailure::Pause, Proof::Proved, &members);
    assert_eq!(pick(1), Picked { grants: vec![], withdrawals: vec![], progress: Progress::Waiting });
    assert_eq!(pick(2).grants, ["b"]);
}

/// A fleet of which one serves and twenty sleep, or of which all sleep.
fn sleepers(serving: usize) -> Fleet {
    let mut fleet = Fleet::new(serving, 20);
    for at in 0..fleet.members.len() {
        fleet.happen(Event::See(at), 3, OnFailure::Pause);
    }
    fleet
}

/// Lets happen what happens by itself: nobody starts. The last way in which it went on.
fn by_itself(fleet: &mut Fleet) -> Progress {
    for _ in 0..60 {
        fleet.happen(Event::Pick, 3, OnFailure::Pause);
        for at in 0..fleet.members.len() {
            fleet.happen(Event::Begin(at), 3, OnFailure::Pause);
            if fleet.truth[at] == Standing::Off {
                fleet.happen(Event::Succeed(at), 3, OnFailure::Pause);
            }
        }
    }
    pick(3, OnFailure::Pause, fleet.proof, &fleet.members).progress
}

fn count(fleet: &Fleet, stage: Stage) -> usize {
    fleet.members.iter().filter(|member| member.stage == stage).count()
}

#[test]
fn those_that_are_off_wait_until_it_has_served() {
    let mut fleet = sleepers(1);
    assert_eq!(by_itself(&mut fleet), Progress::Going);
    assert_eq!(count(&fleet, Stage::Unproved), 0, "the one that serves is on its way still");
    let mut failed = sleepers(1);
    by_itself(&mut failed);
    failed.happen(Event::Fail(0), 3, OnFailure::GoOn);
    by_itself(&mut failed);
    assert_eq!(count(&failed, Stage::Unproved), 0, "nobody is moved to what nobody has proved");
    let picked = pick(3, OnFailure::GoOn, failed.proof, &failed.members);
    assert_eq!(picked, Picked { grants: vec![], withdrawals: vec![], progress: Progress::Unproved });
    fleet.happen(Event::Succeed(0), 3, OnFailure::Pause);
    assert_eq!(by_itself(&mut fleet), Progress::Done);
    assert_eq!(count(&fleet, Stage::Unproved), 20);
}

#[test]
fn where_all_are_off_only_so_many_are_moved_before_one_starts() {
    let mut fleet = sleepers(0);
    assert_eq!(by_itself(&mut fleet), Progress::Unproved);
    assert_eq!(count(&fleet, Stage::Unproved), 3);
    for event in [Event::Start(0), Event::Succeed(0)] {
        fleet.happen(event, 3, OnFailure::Pause);
    }
    assert_eq!(by_itself(&mut fleet), Progress::Done);
}

#[test]
fn what_failed_on_a_runtime_that_was_deleted_since_stops_it_until_the_next_edit() {
    let board = Board::default();
    let row = |uid: &str| (uid.to_owned(), format!("acme/{uid}"));
    let present = ["a", "b"].into();
    assert!(board.fallen("openclaw", "1", &present, [row("a")].into_iter()).is_empty(), "it is there still");
    let present = ["b"].into();
    let fallen = board.fallen("openclaw", "1", &present, std::iter::empty());
    assert_eq!(fallen, [row("a")].into());
    assert_eq!(board.fallen("openclaw", "1", &present, std::iter::empty()), fallen, "it is still known");
    assert!(board.fallen("other", "1", &present, std::iter::empty()).is_empty());
    let gone = Member {
        uid: "a".into(),
        stage: Stage::Gone,
        standing: Standing::Off,
        permit: Permit::None,
        record: Record::Failed,
    };
    let other = Member {
        uid: "b".into(),
        stage: Stage::Outdated,
        standing: Standing::Serving,
        permit: Permit::Granted,
        record: Record::Clean,
    };
    let picked = pick(5, OnFailure::Pause, Proof::Proved, &[gone.clone(), other]);
    assert_eq!((picked.progress, picked.withdrawals), (Progress::Paused, vec!["b".to_owned()]));
    assert!(!gone.is_busy(Proof::None));
    assert!(board.fallen("openclaw", "2", &present, std::iter::empty()).is_empty(), "it was edited");

    board.fallen("openclaw", "2", &["a"].into(), [row("a")].into_iter());
    board.forgive("openclaw");
    assert!(board.fallen("openclaw", "2", &present, std::iter::empty()).is_empty());
}

#[test]
fn a_failure_that_is_recorded_while_others_are_picked_lets_none_of_them_begin() {
    let board = Board::default();
    let known = board.failures();
    board.grant("a", known);
    board.failure();
    board.grant("b", known);
    assert_eq!((board.begin("a"), board.begin("b")), (None, None));
    board.grant("b", board.failures());
    assert_eq!(board.begin("b"), Some(()));
    board.failure();
    assert_eq!(board.permit("b"), Permit::Granted, "its upgrade is being recorded already");
}
