use proptest::prelude::*;

use super::*;

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
            })
            .collect();
        Self { members, truth, proof: Proof::None }
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

    fn happen(&mut self, event: Event, max: usize, on_failure: OnFailure) -> usize {
        match event {
            Event::Pick => {
                let serves =
                    |member: &Member| (member.stage, member.standing) == (Stage::Current, Standing::Serving);
                if self.members.iter().any(serves) {
                    self.proof = Proof::Proved;
                }
                let picked = pick(max, on_failure, self.proof, &self.members);
                for uid in &picked.grants {
                    let granted = self.members.iter_mut().find(|member| member.uid == *uid).unwrap();
                    assert_eq!((granted.stage, granted.permit), (Stage::Outdated, Permit::None));
                    granted.permit = Permit::Granted;
                }
                return picked.grants.len();
            }
            Event::Begin(at) => {
                let (member, _) = self.at(at);
                if member.permit == Permit::Granted {
                    (member.permit, member.stage) = (Permit::None, Stage::Moving);
                }
            }
            Event::Succeed(at) => self.end(at, Stage::Current),
            Event::Fail(at) => self.end(at, Stage::Failed),
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
                self.proof = Proof::None;
                self.members.iter_mut().for_each(|member| {
                    (member.permit, member.standing) = (Permit::None, Standing::Unknown);
                });
            }
        }
        0
    }

    /// One that is off comes to no end before it starts.
    fn end(&mut self, at: usize, stage: Stage) {
        let (member, truth) = self.at(at);
        if member.stage == Stage::Moving {
            member.stage = if *truth == Standing::Off { Stage::Unproved } else { stage };
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
            let granted = fleet.happen(event, max, OnFailure::GoOn);
            if granted > 0 {
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
        for event in course.into_iter().filter(|event| !matches!(event, Event::Break(_))) {
            fleet.happen(within(event, many), max, OnFailure::GoOn);
            prop_assert!(fleet.unavailable() <= max, "{} of {max}", fleet.unavailable());
        }
    }

    /// Once one has failed, nobody else is let begin, restarts or not.
    #[test]
    fn a_failure_stops_it(serving in 1_usize..12, max in 1_usize..5, course in events(12)) {
        let mut fleet = Fleet::new(serving, 0);
        let many = fleet.members.len();
        let mut failed = false;
        for event in course {
            let granted = fleet.happen(within(event, many), max, OnFailure::Pause);
            prop_assert!(!failed || granted == 0);
            failed = fleet.members.iter().any(|member| member.stage == Stage::Failed);
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
        Event::See(at) => Event::See(at % many),
        Event::Break(at) => Event::Break(at % many),
        Event::Mend(at) => Event::Mend(at % many),
        Event::Start(at) => Event::Start(at % many),
        Event::Pick | Event::Restart => event,
    }
}

#[test]
fn those_that_serve_go_first() {
    let member = |uid: &str, standing| Member {
        uid: uid.into(),
        stage: Stage::Outdated,
        standing,
        permit: Permit::None,
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
    };
    let members = [member("a", Standing::Down), member("b", Standing::Off)];
    let pick = |max| pick(max, OnFailure::Pause, Proof::Proved, &members);
    assert_eq!(pick(1), Picked { grants: vec![], progress: Progress::Waiting });
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
    assert_eq!(picked, Picked { grants: vec![], progress: Progress::Unproved });
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
