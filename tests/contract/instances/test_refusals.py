"""What is refused: another's instances, a second piece of work, a wrong state, and the deletion of what is used."""

from __future__ import annotations

import pytest
from rack import built_on

from isobay.errors import ConflictError, InUseError, NotFoundError, UnavailableError, WrongStateError
from isobay.model import InstanceEdit, Listing
from isobay.model.requests import NewEnvironment


def test_nobody_reaches_an_instance_of_another_environment(rack, bootable):
    """Whatever is asked of another's instance, the answer is that of one that is not there; nor is it listed."""
    iso = rack.shelve(bootable, "system")
    rack.publish(iso)
    made = rack.make(iso)
    place, there = rack.beside.place, rack.beside.engine.instances
    calls = {
        "get": lambda of: there.get(place, of),
        "edit": lambda of: there.edit(place, of, InstanceEdit(name="mine")),
        "start": lambda of: there.start(place, of),
        "stop": lambda of: there.stop(place, of, force=True),
        "reboot": lambda of: there.reboot(place, of),
        "attach": lambda of: there.attach(place, of, iso.id, None),
        "detach": lambda of: there.detach(place, of, None),
        "destroy": lambda of: there.destroy(place, of, purge=True),
        "recover": lambda of: there.recover(place, of),
        "purge": lambda of: there.purge(place, of),
        "screen": lambda of: there.screen(place, of),
        "console": lambda of: there.console(place, of),
    }
    for name, call in calls.items():
        said = []
        for instance_id in (made.id, made.id[:-4] + "0000"):
            with pytest.raises(NotFoundError) as caught:
                call(instance_id)
            said.append(caught.value.message.replace(instance_id, "ID"))
        assert said[0] == said[1], name
    assert there.list(place, Listing()).total == 0
    assert rack.get(made) == made


def test_another_environments_iso_is_out_of_reach(rack, bootable):
    """An ISO that is not seen from the environment makes no instance, and goes into no drive of one."""
    own, others = rack.shelve(bootable, "own"), rack.shelve(bootable, "others", rack.beside)
    made = rack.make(own)
    for call in (
        lambda: rack.ask(others),
        lambda: rack.ask(own, additional_iso_ids=[others.id]),
        lambda: rack.instances.attach(rack.here.place, made.id, others.id, 1),
    ):
        with pytest.raises(NotFoundError, match="no ISO"):
            call()
    assert rack.get(made).isos == made.isos


def test_one_piece_of_work_at_a_time(unattended, bootable):
    """While something is done with an instance nothing else is begun, and the answer names what goes on."""
    made, task = unattended.ask(unattended.shelve(bootable, "system"))
    place = unattended.here.place
    for ask in (
        lambda: unattended.instances.start(place, made.id),
        lambda: unattended.instances.detach(place, made.id, 0),
        lambda: unattended.instances.destroy(place, made.id, purge=True),
    ):
        with pytest.raises(ConflictError) as caught:
            ask()
        assert caught.value.context["work"] == "instance.create"
        assert caught.value.context["task"] == task.id


def test_operations_need_their_state(rack, bootable):
    """What makes no sense in the state that the instance is in is refused in one form, and changes nothing."""
    made = rack.make(rack.shelve(bootable, "system"))
    place, id_ = rack.here.place, made.id

    def refused(state, *names):
        for name in names:
            options = {"stop": {"force": False}, "destroy": {"purge": False}}.get(name, {})
            with pytest.raises(WrongStateError, match=f"is {state}; for this it must be ") as caught:
                getattr(rack.instances, name)(place, id_, *((None,) if name == "detach" else ()), **options)
            assert caught.value.context == {"type": "instances", "id": id_, "state": state}

    refused("Running", "start", "recover", "purge")
    rack.do("stop", made, force=True)
    refused("Stopped", "stop", "reboot", "recover", "purge", "screen", "console")
    rack.do("destroy", made, purge=False)
    refused("Destroyed", "start", "stop", "reboot", "destroy", "detach", "screen", "console")
    assert rack.get(made).state == "Destroyed"


def test_an_iso_in_use_is_not_deleted(rack, bootable):
    """The refusal names the instances of the environment, and of others only that there is one."""
    iso = rack.shelve(bootable, "system")
    rack.publish(iso)
    own = rack.make(iso, name="mine")
    secret = rack.make(iso, rack.beside, name="secret")

    def delete():
        rack.here.engine.delete_iso(rack.here.place, rack.here.identity, iso.id)

    with pytest.raises(InUseError) as caught:
        delete()
    assert f"the instance 'mine' ({own.id})" in caught.value.message
    assert caught.value.context["instances"] == [{"id": own.id, "name": "mine"}]
    assert "an instance of another environment" in caught.value.message
    assert "secret" not in repr(caught.value.told())
    assert secret.id not in repr(caught.value.told())
    rack.do("destroy", own, purge=True)
    with pytest.raises(InUseError, match="used by an instance of another environment"):
        delete()


def test_an_iso_that_is_withdrawn_stays_where_it_is(rack, bootable):
    """An instance keeps an ISO that its environment does not see any more, starts with it, and does not learn more."""
    iso = rack.shelve(bootable, "named once")
    rack.publish(iso)
    made = rack.make(iso, rack.beside)
    rack.publish(iso, publicly=False)

    there = rack.beside.engine.instances
    place = rack.enter("beside").place
    shown = there.get(place, made.id)
    assert (shown.iso_id, shown.iso_name, shown.state) == (iso.id, "", "Running")
    for operation in ("stop", "start"):
        options = {"force": True} if operation == "stop" else {}
        rack.done(getattr(there, operation)(place, made.id, **options)[1])
    assert rack.hypervisor.get(made.id).drives[0].image


def test_equal_images_stay_where_a_guest_has_them_open(rack, bootable):
    """Bytes that a guest has open are not given up for those of an equal image."""
    iso = rack.shelve(bootable, "first")
    made = rack.make(iso)
    path = rack.hypervisor.get(made.id).drives[0].image
    again = rack.shelve(bootable, "again")
    rack.make(again)
    rack.built.sweep()
    for each in rack.all():
        assert rack.hypervisor.get(each.id).drives[0].image.exists()
    assert path.exists()


def test_an_environment_with_instances_stays(rack, bootable):
    """An environment is not deleted while it has an instance, though all its ISOs are gone."""
    rack.built.environments.create(rack.here.identity, NewEnvironment(name="third"))
    third = rack.enter("third")
    iso = rack.shelve(bootable, "system")
    rack.publish(iso)
    made = rack.make(iso, rack.enter("third"))
    with pytest.raises(ConflictError, match="1 instances"):
        rack.built.environments.delete(rack.here.identity, third.place.environment_id)
    there = third.engine.instances
    rack.done(there.destroy(third.place, made.id, purge=True)[1])
    rack.built.environments.delete(rack.here.identity, third.place.environment_id)


def test_a_zone_without_a_host_says_what_to_do(tmp_path, twin, bootable):
    """Where no host is named, every call that needs one names the setting, and ISOs are there all the same."""
    rack = built_on(twin, tmp_path / "data", libvirt="off")
    iso = rack.shelve(bootable, "system")
    for ask in (rack.all, lambda: rack.ask(iso)):
        with pytest.raises(UnavailableError, match="ISOBAY_LIBVIRT"):
            ask()
    rack.built.watching.tend()
    rack.built.catalog.close()


def test_lists_are_sorted_filtered_and_paged(rack, bootable):
    """A list can be asked by any field, as other lists can."""
    iso = rack.shelve(bootable, "system")
    for name in ("beta", "alpha", "gamma"):
        rack.make(iso, name=name)
    rack.do("stop", rack.all(search="ALPH")[0], force=True)

    assert [each.name for each in rack.all()] == ["beta", "alpha", "gamma"]
    assert [each.name for each in rack.all(sort_by="name", order="DESC", limit=2)] == ["gamma", "beta"]
    assert [each.name for each in rack.all(sort_by="name", limit=2, offset=2)] == ["gamma"]
    assert [each.name for each in rack.all(filters=(("state", "Stopped"),))] == ["alpha"]
    renamed = rack.instances.edit(rack.here.place, rack.all()[0].id, InstanceEdit(name="omega"))
    assert (renamed.name, renamed.hostname) == ("omega", "omega")
